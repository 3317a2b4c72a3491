"""What compressors that match the gradients of networks share (DC, arXiv 2006.05929; DSA, arXiv 2102.08259)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Setting
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.feature_matching import gradient_distance, weight_gradients
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.resuming import image_state, restore_images, synthesising
from rethinkdc.errors import DivergedImagesError, RequestError
from rethinkdc.method import OfKind
from rethinkdc.models import Model, build_seeded
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.checkpoint import Resumable
from rethinkdc.training.noise import seed_noise
from rethinkdc.training.precision import widened
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import DifferentiableOp, DifferentiableViews

_LOOPS_SOURCE = "get_loops of VICO-UoE/DatasetCondensation at 53f63a6"
LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
"""Outer and inner steps by images per class: ``get_loops`` of VICO-UoE/DatasetCondensation at 53f63a6."""
_BN_IMAGES = 16


class GradientMatching(Compressor):
    """Base of compressors that match gradients along a short training; a subclass says how images are augmented."""

    family: ClassVar[str] = "distillation"

    iterations: int = Field(default=1000, ge=1, description="Networks that are drawn and trained for a while.")
    outer: int | None = Field(
        default=None, ge=1, description="Steps of the images for each network; none = the paper's for ipc."
    )
    inner: int | None = Field(
        default=None, ge=0, description="Epochs of the network between two; none = the paper's for ipc."
    )
    lr: float = Field(default=0.1, gt=0, description="Rate of the images.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the images' SGD.")
    network_lr: float = Field(default=0.01, gt=0, description="Rate of the networks' SGD.")
    batch: int = Field(
        default=256, ge=1, description="Real images of a class in each step, and images in one of a network's."
    )
    network: Annotated[Reference, OfKind("model")] = Field(
        default=Reference(name="convnet"), description="Architecture of the networks."
    )
    init: Literal["real", "noise"]

    def rows_per_canvas(self) -> int:
        return 0

    def ops(self) -> list[DifferentiableOp]:
        """The augmentation of real and synthetic images, and of those that networks are trained on: none."""
        return []

    def loops(self, ipc: int) -> tuple[int, int]:
        """Outer and inner steps.

        Raises:
            RequestError: the paper has none for this ipc, and they are not given.
        """
        known = LOOPS.get(ipc, (None, None))
        outer, inner = self.outer or known[0], known[1] if self.inner is None else self.inner
        if outer is None or inner is None:
            raise RequestError(
                f"{self.name} has no number of steps for ipc {ipc}; the paper's are for {', '.join(map(str, LOOPS))}. "
                f"Give them: {self.name}:outer=10,inner=50."
            )
        return outer, inner

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        known = LOOPS.get(ipc or 0, (None, None))
        paper = {"outer": known[0], "inner": known[1]}
        return {
            key: Setting(paper[key], f"{_LOOPS_SOURCE} for ipc {ipc}")
            if setting.value is None and paper.get(key) is not None
            else setting
            for key, setting in super().settings(protocol, ipc).items()
        }

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        proxy = context.protocol.proxy_recipe()
        work = _Matching(self, data, budget, context, *self.loops(budget.ipc))

        def make(index: int) -> dict[str, Tensor]:
            # All classes share their networks: the set is one part, with checkpoints of its own.
            assert index == 0
            images = work.run()
            return make_part(images, torch.arange(budget.classes).repeat_interleave(budget.ipc), proxy.mean, proxy.std)

        return assemble_set(context.parts(1, make), data.class_names)


@dataclass
class _Matching:
    """One synthesis: all classes at once, since they share the networks that are trained on all of them."""

    method: GradientMatching
    data: Images
    budget: Budget
    context: Context
    outer: int
    inner: int

    def __post_init__(self) -> None:
        protocol, size = self.context.protocol, self.budget.size
        proxy = protocol.proxy_recipe()
        self.real = RealImages(self.data, protocol.store, proxy.mean, proxy.std, self.context.device)
        ops = self.method.ops()
        self.siamese = DifferentiableViews(ops, size=size, shared=True)
        self.alone = DifferentiableViews(ops, size=size, shared=False)
        self.targets = torch.arange(self.budget.classes, device=self.context.device).repeat_interleave(self.budget.ipc)

    def run(self) -> Tensor:
        """The images after all iterations: normalised float32 [C * ipc, 3, S, S]; resumes after a kill."""
        images = self._begun().requires_grad_()
        optimizer = torch.optim.SGD([images], lr=self.method.lr, momentum=self.method.momentum)
        kept, first = self.context.resumable("matching"), 0
        if state := kept.restore():
            first = restore_images(state, images, optimizer)
        begun = state and state.get("network")
        with synthesising(self.context, self.method.name, self.method.iterations) as done:
            done(first)
            for iteration in range(first, self.method.iterations):
                self._iterate(iteration, images, optimizer, kept, begun)
                begun = None
                done(1)
                kept.keep(lambda: image_state(iteration + 1, images, optimizer), done=iteration + 1)  # noqa: B023
        return images.detach()

    def _iterate(
        self,
        iteration: int,
        images: Tensor,
        optimizer: torch.optim.Optimizer,
        kept: Resumable,
        begun: dict[str, Any] | None,
    ) -> None:
        """Matches along one network's training; ``begun``: its state after some steps, where a kill left it."""
        model = self.context.method(Model, self.method.network)
        seed = self.context.seeds.of("set", "network", iteration)
        seed_noise(self.context.seeds.of("set", "noise", iteration), self.context.device)
        network = build_seeded(model, self.budget.classes, self.budget.size, seed).to(self.context.device).train()
        trainer = torch.optim.SGD(network.parameters(), lr=self.method.network_lr)
        first = _restore_network(begun, network, self.context.device) if begun else 0
        for step in range(first, self.outer):
            self._fix_statistics(network, iteration, step)
            images.grad = torch.zeros_like(images)
            for label in range(self.budget.classes):
                self._match(network, images, label, iteration, step)
            self._require_finite(images, iteration)
            optimizer.step()
            if step + 1 < self.outer:
                self._train(network, trainer, images.detach(), iteration, step)
                kept.keep(
                    lambda: {
                        **image_state(iteration, images, optimizer),
                        "network": _network_state(step + 1, network, self.context.device),  # noqa: B023 - at once
                    },
                    done=iteration,
                )

    def _match(self, network: nn.Module, images: Tensor, label: int, iteration: int, step: int) -> None:
        """Adds the gradient of one class's distance: the sum over classes is never held as one graph."""
        own = slice(label * self.budget.ipc, (label + 1) * self.budget.ipc)
        key = self._key(iteration, step, label)
        draws = self.context.generator("set", "real", label, iteration, step)
        batch = self.real.batch(label, self.method.batch, draws)
        self.context.count_images(len(batch) + len(images[own]))
        real = weight_gradients(network, self.siamese.render(batch, key), label, graph=False)
        synthetic = images[own].detach().requires_grad_()
        ours = weight_gradients(network, self.siamese.render(synthetic, key), label, graph=True)
        (gradient,) = torch.autograd.grad(gradient_distance(real, ours), synthetic)
        assert images.grad is not None
        images.grad[own] += gradient

    def _train(
        self, network: nn.Module, trainer: torch.optim.Optimizer, images: Tensor, iteration: int, step: int
    ) -> None:
        """Inner epochs of the network on the synthetic images."""
        network.train()
        for epoch in range(self.inner):
            order = torch.randperm(
                len(images), generator=self.context.generator("set", "order", iteration, step, epoch)
            ).to(images.device)
            for place, rows in enumerate(order.split(self.method.batch)):
                key = ViewKey(self.context.seeds.of("set", "inner", iteration, step), epoch, place)
                self.context.count_images(len(rows))
                logits = widened(network(self.alone.render(images[rows], key)))
                loss = F.cross_entropy(logits, self.targets[rows])
                trainer.zero_grad(set_to_none=True)
                loss.backward()
                trainer.step()

    def _fix_statistics(self, network: nn.Module, iteration: int, step: int) -> None:
        """BatchNorm sees real images of every class once, and keeps what it saw while gradients are matched."""
        layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        if not layers:
            return
        network.train()
        shown = [
            self.real.batch(label, _BN_IMAGES, self.context.generator("set", "statistics", label, iteration, step))
            for label in range(self.budget.classes)
        ]
        self.context.count_images(sum(map(len, shown)))
        with torch.no_grad():
            network(torch.cat(shown))
        for layer in layers:
            layer.eval()

    def _begun(self) -> Tensor:
        ipc, size = self.budget.ipc, self.budget.size
        if self.method.init == "noise":
            draws = self.context.generator("set", "init")
            return torch.randn((self.budget.total, 3, size, size), generator=draws).to(self.context.device)
        begun = [
            self.real.start(self.method.name, label, ipc, self.context.generator("set", "init", label))
            for label in range(self.budget.classes)
        ]
        return torch.cat(begun)

    def _key(self, iteration: int, step: int, label: int) -> ViewKey:
        return ViewKey(self.context.seeds.of("set", "views", label), iteration, step)

    def _require_finite(self, images: Tensor, iteration: int) -> None:
        assert images.grad is not None
        if not bool(torch.isfinite(images.grad).all()):
            raise DivergedImagesError(
                f"{self.method.name}: the gradient of the images is not finite in iteration {iteration + 1} of "
                f"{self.method.iterations}. Lower lr or network_lr, or look at the training images.",
                iteration=iteration,
            )


def _network_state(steps: int, network: nn.Module, device: torch.device) -> dict[str, Any]:
    """Of a network in the middle of its training, whose optimiser has no state, and of what its layers draw."""
    noise = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        noise["cuda"] = torch.cuda.get_rng_state(device)
    return {"steps": steps, "weights": network.state_dict(), "noise": noise}


def _restore_network(state: dict[str, Any], network: nn.Module, device: torch.device) -> int:
    """Puts back what :func:`_network_state` gave; returns the steps that were done."""
    network.load_state_dict(state["weights"])
    torch.set_rng_state(state["noise"]["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["noise"]["cuda"], device)
    return int(state["steps"])
