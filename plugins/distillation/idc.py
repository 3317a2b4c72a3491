"""IDC: information-intensive condensation (Kim et al., ICML 2022, arXiv 2205.14959).

Specified after the authors' code, snu-mllab/Efficient-Dataset-Condensation at ceac95a: condense.py, with the values of
misc/reproduce.py and argument.py. Left out are ``decode_type`` multi and bound, which its CIFAR runs do not have, and
the padding of canvases that the factor does not divide: cells are of unequal sides there. Canvases begin with random
real images; the code takes the first of each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

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
    RequestError,
    Resumable,
    Setting,
    hookimpl,
)
from rethinkdc.distillation import (
    CutMix,
    DifferentiableViews,
    Dsa,
    Formation,
    Preset,
    ViewKey,
    build_seeded,
    gradient_difference,
    image_state,
    mixed_loss,
    require_finite,
    resolve,
    restore_images,
    seed_noise,
    synthesising,
    weight_gradients,
)

TRAINING = (Dsa(strategies=("color",)), Dsa(strategies=("crop",)))
"""What augments the networks' images, one after the other, with parameters of each image."""
MATCHING = (*TRAINING, Dsa(strategies=("cutout",)))
"""What augments matched images, with parameters that real and synthetic ones share."""
_SOURCE = "misc/reproduce.py of snu-mllab/Efficient-Dataset-Condensation at ceac95a"
_SMALL = {"iterations": 2000, "metric": "mse", "lr": 5e-3, "batch": 64, "images": 2000, "early": 0}
_SMALL |= {"network_lr": 0.01, "decay": 5e-4, "network": Reference(name="convnet")}
_LARGE = {"iterations": 500, "metric": "l1", "lr": 1e-3, "batch": 128, "images": 500, "early": 5, "network": None}
_LARGE |= {"network_lr": 0.1, "decay": 1e-4}


class IDC(Compressor):
    """Stores canvases whose cells, enlarged, give networks in training the gradients that real images give.

    Each canvas is ``factor`` x ``factor`` training images: what is stored, and counted, are the canvases. Students see
    every cell in every epoch, as in the authors' evaluation: a protocol of so many epochs shows ``factor`` squared
    times as many views as of other sets, and under one of so many steps batches are fuller at most. Networks are
    trained on real images meanwhile.
    """

    name: ClassVar[str] = "idc"
    family: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "arXiv 2205.14959"

    iterations: int | None = Field(
        default=None, ge=1, description="Networks that are drawn, and trained for a while; none = the paper's."
    )
    steps: int = Field(default=100, ge=1, description="Steps of each class's images for each network.")
    factor: int = Field(
        default=2, ge=1, le=8, description="Cells per side of a canvas; 1 = IDC-I. The paper's is 3 at 224 px."
    )
    metric: Literal["mse", "l1"] | None = Field(
        default=None, description="How gradients are compared; none = the paper's."
    )
    lr: float | None = Field(default=None, gt=0, description="Rate of the pixels; none = the paper's for ipc and size.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Of the pixels' SGD.")
    batch: int | None = Field(
        default=None, ge=1, description="Real images of a class in each step, and of a network's; none = the paper's."
    )
    most: int = Field(default=128, ge=1, description="Enlarged cells of a class in each step at most.")
    images: int | None = Field(
        default=None, ge=0, description="Real images that a network is trained on after each step; none = the paper's."
    )
    early: int | None = Field(
        default=None, ge=0, description="Epochs that a network is trained for at first; none = the paper's."
    )
    network_lr: float | None = Field(default=None, gt=0, description="Rate of the networks' SGD; none = the paper's.")
    decay: float | None = Field(default=None, ge=0, description="Of the networks' weights; none = the paper's.")
    init: Literal["real", "noise"] = Field(default="real", description="What cells begin as; the paper's is real.")
    mixing: float = Field(default=0.5, gt=0, le=1, description="Share of the networks' batches that CutMix mixes.")
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture of the networks; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "cifar10": Preset(_SMALL, f"{_SOURCE} for CIFAR"),
        "cifar100": Preset(_SMALL, f"{_SOURCE} for CIFAR"),
        "tiny-imagenet": Preset(
            {**_SMALL, "network": Reference(name="convnet", values={"depth": 4})},
            f"{_SOURCE} for CIFAR, as it has none for 64 px; ConvNet of depth 4",
        ),
        "imagenet-1k": Preset(
            _LARGE, f"{_SOURCE} for 100 classes of ImageNet; each network is trained, theirs are of ten that were"
        ),
    }

    @property
    def seen_in_cells(self) -> bool:
        return self.factor > 1

    def rows_per_canvas(self) -> int:
        return 0

    def cells_per_side(self, size: int) -> int:  # noqa: ARG002 - the same for every size
        return self.factor

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        size = protocol.store.size
        settings = resolve(self, self.presets, size, protocol.data.classes)
        rate = settings["lr"]
        if self.lr is None and ipc is not None:
            base = 32 if size < 112 else 224
            scaled = rate.value * ipc / 10 * (size / base) ** 2
            settings["lr"] = Setting(
                scaled, f"{rate.source}, by tune_lr_img of argument.py for ipc {ipc} and {size} px"
            )
        return settings

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        values = {name: one.value for name, one in self.settings(context.protocol, budget.ipc).items()}
        if values["network"] is None:
            raise RequestError(
                f"{self.name} has no network for {budget.size} px: its authors' there, ResNetAP-10, is not built in. "
                f"Name one, for example {self.name}:network=[convnet:depth=5]."
            )
        work = _Matching(self, values, data, budget, context)
        return work.formed.assembled(work.run)


@dataclass
class _Matching:
    """One synthesis: all classes at once, since they share the networks and one optimiser."""

    method: IDC
    values: Mapping[str, Any]
    data: Images
    budget: Budget
    context: Context

    def __post_init__(self) -> None:
        context, budget, method = self.context, self.budget, self.method
        # All classes share their networks.
        self.formed = Formation(method.name, self.data, budget, context, method.factor, MATCHING)
        self.apart = DifferentiableViews(TRAINING, size=budget.size, shared=False)
        self.model = context.method(Model, self.values["network"])

    def run(self) -> Tensor:
        """The canvases after all iterations: pixels float32 [C * ipc, 3, S, S]; resumes after a kill."""
        iterations: int = self.values["iterations"]
        images = self.formed.begun(self.method.init).requires_grad_()
        optimizer = torch.optim.SGD([images], lr=self.values["lr"], momentum=self.method.momentum)
        kept, first = self.context.resumable("matching"), 0
        if state := kept.restore():
            first = restore_images(state, images, optimizer)
        begun = state and state.get("network")
        with synthesising(self.context, self.method.name, iterations) as done:
            done(first)
            for iteration in range(first, iterations):
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
        values, context = self.values, self.context
        seed = context.seeds.of("set", "network", iteration)
        network = build_seeded(self.model, self.budget.classes, self.budget.size, seed).to(context.device).train()
        trainer = torch.optim.SGD(
            network.parameters(), lr=values["network_lr"], momentum=0.9, weight_decay=values["decay"]
        )
        first = 0

        def state_of(steps: int) -> dict[str, Any]:
            own = {"steps": steps, "weights": network.state_dict(), "trainer": trainer.state_dict()}
            return {**image_state(iteration, images, optimizer), "network": own}

        if begun:
            network.load_state_dict(begun["weights"])
            trainer.load_state_dict(begun["trainer"])
            first = int(begun["steps"])
        else:
            self._train(network, trainer, values["early"] * len(self.data), iteration, -1)
            with torch.no_grad():
                images.clamp_(0, 1)
        for step in range(first, self.method.steps):
            losses = torch.zeros(self.budget.classes, device=context.device)
            seed_noise(context.seeds.of("set", "noise", iteration, step), context.device)
            for label in range(self.budget.classes):
                losses[label] = self._match(network, images, optimizer, label, iteration, step)
            require_finite(losses, len(losses), f"{self.method.name}'s classes", "lower lr")
            if step + 1 < self.method.steps:
                self._train(network, trainer, values["images"], iteration, step)
                kept.keep(lambda: state_of(step + 1), done=iteration)  # noqa: B023 - called at once

    def _match(
        self,
        network: nn.Module,
        images: Tensor,
        optimizer: torch.optim.Optimizer,
        label: int,
        iteration: int,
        step: int,
    ) -> Tensor:
        """One step down one class's distance; the others' canvases go on with their momentum, as in the code."""
        own = slice(label * self.budget.ipc, (label + 1) * self.budget.ipc)
        names = (label, iteration, step)
        batch = self.formed.real.batch(label, self.values["batch"], self.context.generator("set", "real", *names))
        canvases = images[own].detach().requires_grad_()
        cells = self.formed.cells(canvases)
        order = torch.randperm(len(cells), generator=self.context.generator("set", "cells", *names))
        cells = cells[order[: self.method.most].to(cells.device)] if len(cells) > self.method.most else cells
        self.context.count_images(len(batch) + len(cells))
        key = ViewKey(self.context.seeds.of("set", "views", label), iteration, step)
        weights = [each for each in network.parameters() if each.ndim > 2]
        shown = [self.formed.shown(some, key) for some in (batch, cells)]
        real = weight_gradients(network, shown[0], label, graph=False, parameters=weights)
        made = weight_gradients(network, shown[1], label, graph=True, parameters=weights)
        loss = gradient_difference(real, made, self.values["metric"])
        images.grad = torch.zeros_like(images)
        (images.grad[own],) = torch.autograd.grad(loss, canvases)
        optimizer.step()
        return loss.detach()

    def _train(self, network: nn.Module, trainer: torch.optim.Optimizer, count: int, iteration: int, step: int) -> None:
        """Trains the network on ``count`` real images, in whole batches, augmented and mixed."""
        for place in range(-(-count // self.values["batch"])):
            names = ("train", iteration, step, place)
            draws = self.context.generator("set", *names)
            batch, targets = self.formed.real.mixed(self.values["batch"], draws)
            self.context.count_images(len(batch))
            key = ViewKey(self.context.seeds.of("set", *names), 0, 0)
            shown = self.apart.render(self.formed.normalised(batch), key)
            loss = mixed_loss(network, shown, targets, CutMix(p=self.method.mixing), draws)
            trainer.zero_grad(set_to_none=True)
            loss.backward()
            trainer.step()


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``idc``."""
    return [IDC]
