"""What compressors that match features of random networks class by class share (DM, arXiv 2110.04181; DataDAM)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.optimisation import CHECK_EVERY, require_finite
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.resuming import image_state, restore_images, synthesising
from rethinkdc.errors import UnsupportedError
from rethinkdc.method import OfKind
from rethinkdc.models import Model, build_seeded
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.noise import seed_noise
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import STRATEGIES, DifferentiableViews, Dsa, Strategy

_ADVICE = "lower lr, or look at the training images"


class DistributionMatching(Compressor, ABC):
    """Base of compressors that move images until untrained networks see in them what they see in real ones.

    Each iteration has a network of its own, the same for every class, and one step of the images down a distance that a
    subclass gives, with Siamese augmentation: one draw for real and synthetic images of a class. The authors' code adds
    up the distances of all classes before that step. An image's gradient and momentum are the same either way, since no
    class moves another's images and random numbers follow from class and iteration, so each class is a part of its own.
    That fails where layers look across a batch: networks with BatchNorm, to which the authors give all classes at once,
    are refused.
    """

    family: ClassVar[str] = "distillation"

    iterations: int = Field(
        default=20_000, ge=1, description="Networks that are drawn, one step of the images for each."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the images; none = the paper's for ipc.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the images' SGD.")
    batch: int = Field(default=256, ge=1, description="Real images of the class in each iteration.")
    init: Literal["real", "noise"] = Field(default="real", description="What the images begin as.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, description="DSA's augmentations, one drawn for real and synthetic images alike; [] = none."
    )
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=Reference(name="convnet"), description="Architecture of the random networks."
    )

    def rows_per_canvas(self) -> int:
        return 0

    @abstractmethod
    def distance(self, network: nn.Module, real: Tensor, made: Tensor, values: Mapping[str, Any]) -> Tensor:
        """What is minimised: a scalar of a class's real images [R, 3, S, S] and synthetic ones [m, 3, S, S].

        Args:
            network: frozen, in training mode.
            real: normalised, augmented.
            made: as ``real``; gradients flow through them.
            values: of the parameters in this run.
        """

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        work = _Matching(self, data, budget, context)
        return assemble_set(context.parts(budget.classes, work.make), data.class_names)


@dataclass
class _Matching:
    """The synthesis of one set."""

    method: DistributionMatching
    data: Images
    budget: Budget
    context: Context

    def __post_init__(self) -> None:
        protocol = self.context.protocol
        settings = self.method.settings(protocol, self.budget.ipc)
        self.values = {name: setting.value for name, setting in settings.items()}
        self.model = self.context.method(Model, self.values["network"])
        self.real = real_images_of(self.data, protocol, self.context.device)
        ops = [Dsa(strategies=self.method.strategies)] if self.method.strategies else []
        self.views = DifferentiableViews(ops, size=protocol.store.size, shared=True)

    def make(self, label: int) -> dict[str, Tensor]:
        """Moves the images of one class, from the beginning or from where a kill left them."""
        context, iterations = self.context, self.method.iterations
        images = self._begun(label)
        optimizer = torch.optim.SGD([images], lr=self.values["lr"], momentum=self.method.momentum)
        name = f"class {label + 1} of {self.budget.classes}"
        losses, first = torch.zeros(iterations, device=context.device), 0
        kept = context.resumable("images")
        if state := kept.restore():
            first = restore_images(state, images, optimizer)

        def state_of(done: int) -> dict[str, Any]:
            require_finite(losses, done, name, _ADVICE)
            return image_state(done, images, optimizer)

        with synthesising(context, name, iterations) as done:
            done(first)
            for iteration in range(first, iterations):
                loss = self._distance(label, iteration, images)
                (images.grad,) = torch.autograd.grad(loss, images)
                optimizer.step()
                losses[iteration] = loss.detach()
                if (iteration + 1) % CHECK_EVERY == 0 or iteration + 1 == iterations:
                    require_finite(losses, iteration + 1, name, _ADVICE)
                    done(iteration + 1 - max(first, iteration - iteration % CHECK_EVERY))
                if iteration + 1 < iterations:
                    kept.keep(lambda: state_of(iteration + 1), done=iteration + 1)  # noqa: B023 - called at once
        proxy = context.protocol.proxy_recipe()
        return make_part(images, torch.full((self.budget.ipc,), label), proxy.mean, proxy.std)

    def _distance(self, label: int, iteration: int, images: Tensor) -> Tensor:
        context = self.context
        seed_noise(context.seeds.of("set", "noise", label, iteration), context.device)
        network = self._network(iteration)
        batch = self.real.batch(label, self.method.batch, context.generator("set", "real", label, iteration))
        key = ViewKey(context.seeds.of("set", "views", label), iteration, 0)
        context.count_images(len(batch) + len(images))
        return self.method.distance(network, self.views.render(batch, key), self.views.render(images, key), self.values)

    def _begun(self, label: int) -> Tensor:
        budget, draws = self.budget, self.context.generator("set", "init", label)
        if self.method.init == "noise":
            noise = torch.randn((budget.ipc, 3, budget.size, budget.size), generator=draws)
            return noise.to(self.context.device).requires_grad_()
        return self.real.start(self.method.name, label, budget.ipc, draws).requires_grad_()

    def _network(self, iteration: int) -> nn.Module:
        seed = self.context.seeds.of("set", "network", iteration)
        network = build_seeded(self.model, self.budget.classes, self.budget.size, seed)
        if any(isinstance(layer, _BatchNorm) for layer in network.modules()):
            raise UnsupportedError(
                f"{self.method.name} matches one class at a time, and the statistics of BatchNorm in "
                f"{self.values['network']} would be those of one class. Choose a network without it, for example "
                "network=[convnet:norm=instance]."
            )
        return network.to(self.context.device).requires_grad_(False)


def real_images_of(data: Images, protocol: Protocol, device: torch.device) -> RealImages:
    """Training images in the normalisation of the protocol's proxy."""
    proxy = protocol.proxy_recipe()
    return RealImages(data, protocol.store, proxy.mean, proxy.std, device)
