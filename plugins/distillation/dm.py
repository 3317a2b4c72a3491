"""Distribution matching (Zhao & Bilen, WACV 2023, arXiv 2110.04181; VICO-UoE/DatasetCondensation at 53f63a6)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    Images,
    Method,
    Model,
    OfKind,
    Protocol,
    Reference,
    Setting,
    UnsupportedError,
    hookimpl,
)
from rethinkdc.distillation import (
    CHECK_EVERY,
    STRATEGIES,
    DifferentiableViews,
    Dsa,
    RealImages,
    Strategy,
    ViewKey,
    assemble_set,
    build_seeded,
    computing,
    embedding,
    image_state,
    make_part,
    mean_distance,
    reproducible,
    require_finite,
    restore_images,
    seed_noise,
)

_ADVICE = "lower lr, or look at the training images"
_MANY = 100
"""Images per class from which on the authors take ten times the rate."""


class DM(Compressor):
    """Moves synthetic images until their mean features under random networks are those of real images of the class.

    Each iteration has a new, untrained network, the same for every class; with Siamese augmentation of real and
    synthetic images. Classes do not meet, so each is a part of its own. Networks with BatchNorm are refused: the
    authors give them all classes at once.
    """

    name: ClassVar[str] = "dm"
    family: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "arXiv 2110.04181"

    iterations: int = Field(
        default=20_000, ge=1, description="Networks that are drawn, one step of the images for each."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the images; none = 1, and 10 from ipc 100 on.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the images' SGD.")
    batch: int = Field(default=256, ge=1, description="Real images of the class in each iteration.")
    init: Literal["real", "noise"] = Field(default="real", description="What the images begin as.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, description="DSA's augmentations, one drawn for real and synthetic images alike; [] = none."
    )
    network: Annotated[Reference, OfKind("model")] = Field(
        default=Reference(name="convnet"), description="Architecture of the random networks."
    )

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = super().settings(protocol, ipc)
        if self.lr is None and ipc is not None:
            settings["lr"] = Setting(_usual_rate(ipc), f"VICO-UoE/DatasetCondensation at 53f63a6 for ipc {ipc}")
        return settings

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        proxy, store = context.protocol.proxy_recipe(), context.protocol.store
        real = RealImages(data, store, proxy.mean, proxy.std, context.device)
        ops = [Dsa(strategies=self.strategies)] if self.strategies else []
        views = DifferentiableViews(ops, size=store.size, shared=True)

        def make(index: int) -> dict[str, Tensor]:
            images = self._begun(index, real, budget, context)
            optimizer = torch.optim.SGD([images], lr=self.lr or _usual_rate(budget.ipc), momentum=self.momentum)
            name = f"class {index + 1} of {budget.classes}"
            losses, first = torch.zeros(self.iterations, device=context.device), 0
            kept = context.resumable("images")
            if state := kept.restore():
                first = restore_images(state, images, optimizer)

            def state_of(iterations: int) -> dict[str, Any]:
                require_finite(losses, iterations, name, _ADVICE)
                return image_state(iterations, images, optimizer)

            with (
                computing(context.device, context.protocol.precision),
                reproducible(context.device),
                context.progress.task(name, self.iterations) as done,
            ):
                done(first)
                for iteration in range(first, self.iterations):
                    seed_noise(context.seeds.of("set", "noise", index, iteration), context.device)
                    network = self._network(iteration, budget, context)
                    draws = context.generator("set", "real", index, iteration)
                    batch = real.batch(index, self.batch, draws)
                    key = ViewKey(context.seeds.of("set", "views", index), iteration, 0)
                    context.count_images(len(batch) + len(images))
                    loss = _loss(network, views.render(batch, key), views.render(images, key))
                    (images.grad,) = torch.autograd.grad(loss, images)
                    optimizer.step()
                    losses[iteration] = loss.detach()
                    if (iteration + 1) % CHECK_EVERY == 0 or iteration + 1 == self.iterations:
                        require_finite(losses, iteration + 1, name, _ADVICE)
                        done(iteration + 1 - max(first, iteration - iteration % CHECK_EVERY))
                    if iteration + 1 < self.iterations:
                        kept.keep(lambda: state_of(iteration + 1), done=iteration + 1)  # noqa: B023 - called at once
            return make_part(images, torch.full((budget.ipc,), index), proxy.mean, proxy.std)

        return assemble_set(context.parts(budget.classes, make), data.class_names)

    def _begun(self, label: int, real: RealImages, budget: Budget, context: Context) -> Tensor:
        draws = context.generator("set", "init", label)
        if self.init == "noise":
            noise = torch.randn((budget.ipc, 3, budget.size, budget.size), generator=draws).to(context.device)
            return noise.requires_grad_()
        return real.start(self.name, label, budget.ipc, draws).requires_grad_()

    def _network(self, iteration: int, budget: Budget, context: Context) -> nn.Module:
        model = context.method(Model, self.network)
        network = build_seeded(model, budget.classes, budget.size, context.seeds.of("set", "network", iteration))
        if any(isinstance(layer, _BatchNorm) for layer in network.modules()):
            raise UnsupportedError(
                f"{self.name} matches one class at a time, and the statistics of BatchNorm in {self.network} would be "
                "those of one class. Choose a network without it, for example network=[convnet:norm=instance]."
            )
        return network.to(context.device).requires_grad_(False)


def _usual_rate(ipc: int) -> float:
    return 10.0 if ipc >= _MANY else 1.0


def _loss(network: nn.Module, real: Tensor, synthetic: Tensor) -> Tensor:
    """Squared distance of the mean features of two batches under a frozen network."""
    with embedding(network) as embed:
        with torch.no_grad():
            target = embed(real)
        return mean_distance(target, embed(synthetic))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dm``."""
    return [DM]
