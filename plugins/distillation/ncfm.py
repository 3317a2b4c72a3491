"""NCFM: matching of characteristic functions (Wang et al., CVPR 2025, arXiv 2502.20653; gszfwsb/NCFM at de92fb8).

Values are those of the authors' config files. These draw frequencies from a normal distribution: the sampling network
is off in all of them. Where it is on, the code adds its gradient and takes it away again, so that it never learns; here
it goes up the distance. Each class has an optimiser of its own, as with a process for each class. The authors launch
eight; there, classes of one process share an optimiser, in which each goes on with its momentum at the others' steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    FullTraining,
    Images,
    Method,
    Model,
    OfKind,
    Optimizer,
    Protocol,
    Recipe,
    Reference,
    Schedule,
    Setting,
    TrainedNetwork,
    hookimpl,
)
from rethinkdc.distillation import (
    CutMix,
    Dsa,
    Formation,
    FrequencySampler,
    Preset,
    ViewKey,
    characteristic_distance,
    embedding,
    require_finite,
    resolve,
    seed_noise,
    synthesising,
)

SCALE = 300.0
"""Of the matching loss, in NCFM.py."""
PATIENCE, FACTOR = 500, 0.5
"""Iterations without a smaller loss after which the rate falls, and how far, in Condenser.py."""
MATCHING = tuple(Dsa(strategies=(name,)) for name in ("color", "crop", "cutout"))
"""What augments matched images, one after the other, with parameters that real and synthetic ones share."""
_SOURCE = "config/ipc*/*.yaml of gszfwsb/NCFM at de92fb8"
_SMALL = {"optimizer": "adamw", "lr": 0.001, "epochs": 60, "network": Reference(name="convnet")}


class NCFM(Compressor):
    """Stores canvases whose cells, enlarged, have the characteristic function of real images under trained networks.

    Networks are trained on the training set first. In each iteration one of them is drawn, and a point between its
    first and its last weights: its features of real and synthetic images are matched, and the trained network must
    tell the class of the synthetic ones. What is stored, and counted, are canvases of ``factor`` x ``factor`` cells;
    students see every cell in every epoch, as in the authors' evaluation.
    """

    name: ClassVar[str] = "ncfm"
    family: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "arXiv 2502.20653"

    iterations: int = Field(default=20_000, ge=1, description="Steps of each class's images.")
    factor: int = Field(default=2, ge=1, le=8, description="Cells per side of a canvas; 1 = whole images.")
    optimizer: Literal["adamw", "sgd"] | None = Field(default=None, description="Of the pixels; none = the paper's.")
    lr: float | None = Field(default=None, gt=0, description="First rate of the pixels; none = the paper's.")
    batch: int = Field(default=1024, ge=1, description="Real images of a class in each step.")
    frequencies: int = Field(default=4096, ge=1, description="Where characteristic functions are compared.")
    sampling: Literal["normal", "learned"] = Field(
        default="normal", description="Where frequencies come from: a normal distribution, or a network that learns."
    )
    amplitude: float = Field(default=0.5, ge=0, le=1, description="Weight of the difference of amplitudes.")
    phase: float = Field(default=0.5, ge=0, le=1, description="Weight of the difference of phases.")
    calibration: float = Field(
        default=1.0, ge=0, description="Weight of the trained network's cross-entropy; 0 = none."
    )
    networks: int = Field(default=20, ge=1, description="Networks that are trained.")
    epochs: int | None = Field(default=None, ge=1, description="Of each network's training; none = the paper's.")
    network: Annotated[Reference | None, OfKind("model")] = Field(
        default=None, description="Architecture of the networks; none = the paper's."
    )
    init: Literal["real", "noise"] = Field(default="real", description="What cells begin as; the paper's is real.")
    as_published: bool = Field(
        default=False, description="The first images of a class in every step, as the authors' loader gives them."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "cifar10": Preset(_SMALL, _SOURCE),
        "cifar100": Preset(_SMALL, _SOURCE),
        "tiny-imagenet": Preset({**_SMALL, "network": Reference(name="convnet", values={"depth": 4})}, _SOURCE),
        "imagenet-1k": Preset(
            {**_SMALL, "epochs": 80, "network": Reference(name="convnet", values={"depth": 5})},
            f"{_SOURCE}, of its subsets at 128 px",
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
        settings = resolve(self, self.presets, protocol.store.size, protocol.data.classes)
        if self.optimizer is None and (protocol.store.size, protocol.data.classes, ipc) == (32, 100, 10):
            settings["optimizer"] = Setting("sgd", "config/ipc10/cifar100.yaml of gszfwsb/NCFM at de92fb8")
        if self.lr is None:
            # The files have .01 for both; Adam's is a tenth of it, by lr_scale_adam.
            rate = 0.01 if settings["optimizer"].value == "sgd" else 0.001
            settings["lr"] = Setting(rate, f"{_SOURCE} for {settings['optimizer'].value}")
        return settings

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        values = {name: one.value for name, one in self.settings(context.protocol, budget.ipc).items()}
        model, recipe = context.method(Model, values["network"]), training_recipe(values, context.protocol)
        trained = [
            context.train(recipe, "ncfm", index, model=model, stage="networks", keep_epochs=(0, values["epochs"]))
            for index in range(self.networks)
        ]
        work = _Matching(self, values, data, budget, context, trained)
        # The rate follows the loss of all classes: they are one part.
        return work.formed.assembled(work.run)


def training_recipe(values: Mapping[str, Any], protocol: Protocol) -> FullTraining:
    """How the networks are trained: pretrain_script.py, with the values of the config files."""
    proxy = protocol.proxy_recipe()
    ops = [Dsa(strategies=(name,), mean=proxy.mean, std=proxy.std) for name in ("color", "crop")]
    training = Recipe(
        epochs=values["epochs"],
        batch=128,
        optimizer=Optimizer(name="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4, decay="all"),
        schedule=Schedule(name="step", milestones=(2 / 3, 5 / 6), gamma=0.2),
        views=tuple(ops),
        mix=CutMix(p=0.5),
    )
    return FullTraining(model=values["network"], mean=proxy.mean, std=proxy.std, training=training)


@dataclass
class _Matching:
    """One synthesis: all classes at once, since the rate follows the loss of all."""

    method: NCFM
    values: Mapping[str, Any]
    data: Images
    budget: Budget
    context: Context
    trained: Sequence[TrainedNetwork]

    def __post_init__(self) -> None:
        context, method = self.context, self.method
        self.formed = Formation(method.name, self.data, self.budget, context, method.factor, MATCHING)
        self.between, self.final = (self.trained[0].network().to(context.device) for _ in range(2))
        self.between.requires_grad_(False)
        self.final.requires_grad_(False)

    def run(self) -> Tensor:
        """The canvases after all iterations: pixels float32 [C * ipc, 3, S, S]; resumes after a kill."""
        method, context = self.method, self.context
        begun = self.formed.begun(method.init)
        classes = [own.clone().requires_grad_() for own in begun.split(self.budget.ipc)]
        optimizer, plateau = self._optimizer(classes)
        losses, first = torch.zeros(method.iterations, device=context.device), 0
        kept = context.resumable("matching")
        with synthesising(context, method.name, method.iterations) as done:
            sampler = self._sampler()
            climber = torch.optim.SGD(sampler.parameters(), lr=1e-3, momentum=0.5) if sampler else None
            moving: list[Any] = [optimizer, plateau, *([sampler, climber] if sampler else [])]
            if state := kept.restore():
                first = int(state["done"])
                with torch.no_grad():
                    for own, known in zip(classes, state["images"], strict=True):
                        own.copy_(known)
                for each, known in zip(moving, state["moving"], strict=True):
                    each.load_state_dict(known)

            def state_of(iterations: int) -> dict[str, Any]:
                require_finite(losses, iterations, method.name, "lower lr")
                images = [own.detach().cpu() for own in classes]
                return {"done": iterations, "images": images, "moving": [each.state_dict() for each in moving]}

            done(first)
            for iteration in range(first, method.iterations):
                losses[iteration] = self._iterate(iteration, classes, optimizer, sampler, climber)
                plateau.step(float(losses[iteration]))
                done(1)
                kept.keep(lambda: state_of(iteration + 1), done=iteration + 1)  # noqa: B023 - called at once
        require_finite(losses, method.iterations, method.name, "lower lr")
        return torch.cat(classes).detach()

    def _optimizer(self, classes: Sequence[Tensor]) -> tuple[torch.optim.Optimizer, ReduceLROnPlateau]:
        """One object for all classes: a class without a gradient neither moves nor ages."""
        lr: float = self.values["lr"]
        optimizer: torch.optim.Optimizer = torch.optim.SGD(classes, lr=lr, momentum=0.5)
        if self.values["optimizer"] == "adamw":
            optimizer = torch.optim.AdamW(classes, lr=lr, weight_decay=5e-4)
        return optimizer, ReduceLROnPlateau(optimizer, mode="min", factor=FACTOR, patience=PATIENCE)

    def _sampler(self) -> FrequencySampler | None:
        if self.method.sampling == "normal":
            return None
        seed_noise(self.context.seeds.of("set", "sampler"), self.context.device)
        with embedding(self.final) as embed, torch.no_grad():
            size = self.budget.size
            dimensions = embed(torch.zeros((1, 3, size, size), device=self.context.device)).shape[1]
        return FrequencySampler(dimensions).to(self.context.device)

    def _iterate(
        self,
        iteration: int,
        classes: Sequence[Tensor],
        optimizer: torch.optim.Optimizer,
        sampler: FrequencySampler | None,
        climber: torch.optim.Optimizer | None,
    ) -> Tensor:
        """One step of each class down each of the two losses; returns the mean over classes of their sum."""
        self._draw_network(iteration)
        total = torch.zeros((), device=self.context.device)
        with torch.no_grad():
            for own in classes:
                own.clamp_(0, 1)
        for label, own in enumerate(classes):
            loss = self._distance(label, iteration, own, sampler)
            wanted = [own, *(sampler.parameters() if sampler else ())]
            (own.grad, *slopes) = torch.autograd.grad(loss, wanted)
            optimizer.step()
            own.grad = None
            if sampler and climber:
                for parameter, slope in zip(sampler.parameters(), slopes, strict=True):
                    parameter.grad = -slope
                climber.step()
            total += loss.detach()
        for label, own in enumerate(classes if self.method.calibration else ()):
            loss = self.method.calibration * self._cross_entropy(label, iteration, own)
            (own.grad,) = torch.autograd.grad(loss, own)
            optimizer.step()
            own.grad = None
            total += loss.detach()
        return total / len(classes)

    def _draw_network(self, iteration: int) -> None:
        """Loads one network's last weights, and a uniform point between its first and its last."""
        draws = self.context.generator("set", "network", iteration)
        chosen = self.trained[int(torch.randint(len(self.trained), (1,), generator=draws))]
        share = float(torch.rand(1, generator=draws))
        begun, ended = chosen.weights(0), chosen.weights(self.values["epochs"])
        self.final.load_state_dict(ended)
        with torch.no_grad():
            for name, parameter in self.between.named_parameters():
                parameter.copy_(share * begun[name] + (1 - share) * ended[name])

    def _distance(self, label: int, iteration: int, own: Tensor, sampler: FrequencySampler | None) -> Tensor:
        """What is matched: the distance of the characteristic functions of unit features."""
        method, draws = self.method, self.context.generator("set", "real", label, iteration)
        real, count = self.formed.real, method.batch
        batch = real.first(label, count) if method.as_published else real.batch(label, count, draws)
        key = ViewKey(self.context.seeds.of("set", "views", label), iteration, 0)
        cells = self.formed.cells(own)
        self.context.count_images(len(batch) + len(cells))
        with embedding(self.between) as embed:
            with torch.no_grad():
                wanted = F.normalize(embed(self.formed.shown(batch, key)), dim=1)
            made = F.normalize(embed(self.formed.shown(cells, key)), dim=1)
        drawn = self.context.generator("set", "frequencies", label, iteration)
        if sampler is None:
            frequencies = torch.randn((method.frequencies, made.shape[1]), generator=drawn).to(wanted.device)
        else:
            frequencies = sampler(sampler.noise(drawn).to(wanted.device))
        return SCALE * characteristic_distance(wanted, made, frequencies, method.amplitude, method.phase)

    def _cross_entropy(self, label: int, iteration: int, own: Tensor) -> Tensor:
        """Of the class under the trained network."""
        cells = self.formed.cells(own)
        self.context.count_images(len(cells))
        key = ViewKey(self.context.seeds.of("set", "calibration", label), iteration, 0)
        logits = self.final(self.formed.shown(cells, key))
        return F.cross_entropy(logits.float(), torch.full((len(cells),), label, device=logits.device))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``ncfm``."""
    return [NCFM]
