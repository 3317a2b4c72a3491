"""What compressors that invert a teacher have in common (SRe2L, arXiv 2306.13092, and what followed it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Compressor
from rethinkdc.errors import UnsupportedError
from rethinkdc.inversion import (
    Moments,
    Preset,
    Recipe,
    Setting,
    matchable,
    normalised_range,
    recover,
    resolve,
)
from rethinkdc.inversion.parts import finished, part
from rethinkdc.method import Method, OfKind, Reference
from rethinkdc.protocol import Protocol
from rethinkdc.selection.classwise import random_ranks
from rethinkdc.training.teacher import Teacher, full_precision
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import DifferentiableViews, Flip, RandomResizedCrop, Roll, ViewOp

_SMALLEST = 32
"""Side in pixels of the smallest images that the papers have values for: CIFAR's."""


class Batch(NamedTuple):
    """Canvases that are optimised together: the class of each, and which of its class it is; int64 [B] both."""

    labels: Tensor
    copies: Tensor


@dataclass(frozen=True)
class Inversion:
    """All that a batch is made from; ``values`` are the resolved parameters."""

    context: Context
    data: Images
    budget: Budget
    teacher: Teacher
    values: Mapping[str, Any]

    def views(self, ops: list[ViewOp]) -> DifferentiableViews:
        """Renders views of the canvases at the teacher's size."""
        return DifferentiableViews(ops, size=self.teacher.size, shared=self.values["views"] == "shared")

    def key(self, iteration: int, index: int) -> ViewKey:
        """The views of one batch in one iteration: the same uniforms for every method that inverts."""
        return ViewKey(self.context.seeds.of("set", "inversion-views"), iteration, index)


class Inverting(Compressor):
    """Base of compressors that optimise images until a teacher sees their classes with the statistics of real ones.

    A part of the set is one batch. What a subclass may change: which canvases share a batch, where they begin, which
    network is inverted, which statistics are matched, and how views are cropped. ``presets`` holds the values that its
    paper gives for each dataset; parameters that are none are taken from there.
    """

    family: ClassVar[str] = "distillation"
    presets: ClassVar[Mapping[str, Preset]]

    iterations: int | None = Field(default=None, ge=1, description="T, steps of each image; none = the paper's.")
    lr: float | None = Field(default=None, gt=0, description="Adam's first learning rate; none = the paper's.")
    bn_weight: float | None = Field(
        default=None, ge=0, description="Weight of the BatchNorm term beside the cross-entropy; none = the paper's."
    )
    first_bn: float = Field(default=10.0, ge=0, description="Multiplier of the first BatchNorm layer.")
    batch: int | None = Field(default=None, ge=1, description="Images optimised together; none = the paper's.")
    crop: bool | None = Field(default=None, description="Random resized crops of each step; none = the paper's.")
    min_area: float = Field(default=0.08, gt=0, le=1, description="Smallest share of the canvas that a crop shows.")
    flip: bool | None = Field(default=None, description="Random flips of each step; none = the paper's.")
    roll: tuple[int, int] | None = Field(
        default=None, description="Range of the circular shift of each step, in pixels; none = the paper's."
    )
    views: Literal["shared", "per-image"] = Field(
        default="shared", description="One draw of crop, flip and roll for the batch, as the papers' code, or for each."
    )
    teacher: Annotated[Reference | None, OfKind("teacher")] = Field(
        default=None, description="Network that is inverted, with BatchNorm; none = the protocol's."
    )

    @model_validator(mode="after")
    def _roll_is_ordered(self) -> Inverting:
        if self.roll is not None and self.roll[0] > self.roll[1]:
            raise ValueError(f"roll must be (smallest, largest); found {self.roll}")
        return self

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol) -> dict[str, Setting]:
        """Every parameter's value under a protocol, and where it comes from."""
        return settings_for(self, self.presets, protocol.store.size, protocol.data.classes)

    # -- what a subclass may change --------------------------------------------------------------------------------

    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        """The batches in order: one canvas of each of ``size`` different classes, then of the next ones; then again."""
        chunks = torch.arange(budget.classes).split(size or budget.classes)
        return [Batch(labels, torch.full_like(labels, copy)) for copy in range(budget.ipc) for labels in chunks]

    def start(self, inversion: Inversion, batch: Batch, index: int) -> Tensor:
        """Where a batch begins, normalised float32 [B, 3, S, S]: unit Gaussian noise, the same for every method."""
        return noise(inversion.context, batch, inversion.budget.size, index)

    def network(self, inversion: Inversion, images: Tensor, labels: Tensor, index: int) -> nn.Module:  # noqa: ARG002
        """The frozen network that a batch inverts: the teacher's own, which must stay as it is."""
        return inversion.teacher.module

    def class_moments(self, inversion: Inversion) -> Mapping[str, Moments] | None:  # noqa: ARG002
        """Statistics to match, by layer and class, for batches of one class; None = the network's running ones."""
        return None

    def smallest_area(self, iteration: int, iterations: int) -> float:  # noqa: ARG002
        """Smallest share of the canvas that a crop shows in a 0-based iteration."""
        return self.min_area

    def recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The numbers of the optimisation."""
        return Recipe(values["iterations"], values["lr"], values["bn_weight"], values["first_bn"])

    # -- the way of all --------------------------------------------------------------------------------------------

    def ops(self, values: Mapping[str, Any], iteration: int) -> list[ViewOp]:
        """The view ops of a 0-based iteration."""
        found: list[ViewOp] = []
        if values["crop"]:
            found.append(RandomResizedCrop(scale=(self.smallest_area(iteration, values["iterations"]), 1.0)))
        if values["flip"]:
            found.append(Flip())
        low, high = values["roll"]
        return [*found, Roll(low=low, high=high)] if (low, high) != (0, 0) else found

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        # By the budget, not by the protocol: the set's key holds the one and not the other.
        settings = settings_for(self, self.presets, budget.size, budget.classes)
        values = {key: setting.value for key, setting in settings.items()}
        untrained = context.untrained_teacher(self.teacher)
        if untrained is not None:
            require_batchnorm(self.name, str(self.teacher or "of the protocol"), untrained)
        teacher: Teacher = context.teacher(self.teacher)
        require_batchnorm(self.name, teacher.id, teacher.module)
        require_size(self.name, teacher, budget.size, f"{self.name}:teacher=trained")
        context.note(**{f"{self.name}_settings": {key: values[key] for key in values if key != "teacher"}})
        inversion = Inversion(context, data, budget, teacher, values)
        batches, moments = self.batches(budget, values["batch"]), self.class_moments(inversion)

        def make(index: int) -> dict[str, Tensor]:
            images = self._made(inversion, batches, index, moments)
            return part(images, batches[index].labels, teacher.mean, teacher.std)

        return finished(context.parts(len(batches), make), data.class_names)

    def _made(
        self, inversion: Inversion, batches: list[Batch], index: int, moments: Mapping[str, Moments] | None
    ) -> Tensor:
        """The images of one batch, normalised: float32 [B, 3, S, S]."""
        teacher, values, batch = inversion.teacher, inversion.values, batches[index]
        labels = batch.labels.to(teacher.device)
        images = self.start(inversion, batch, index).to(teacher.device, memory_format=torch.channels_last)

        def view(current: Tensor, iteration: int) -> Tensor:
            return inversion.views(self.ops(values, iteration)).render(current, inversion.key(iteration, index))

        low, high = normalised_range(teacher.mean, teacher.std)
        name, iterations = f"batch {index + 1} of {len(batches)}", values["iterations"]
        label = int(batch.labels[0])
        with full_precision(teacher.device), inversion.context.progress.task(name, iterations) as advance:
            return recover(
                images,
                labels,
                self.network(inversion, view(images, 0), labels, index),
                self.recipe(values),
                view=view,
                low=low,
                high=high,
                targets=None if moments is None else {layer: found.of(label) for layer, found in moments.items()},
                where=name,
                advance=advance,
            )


def settings_for(method: Method, presets: Mapping[str, Preset], size: int, classes: int) -> dict[str, Setting]:
    """What :func:`~rethinkdc.inversion.resolve` finds; on canvases below 32 px a preset's roll keeps its share of them.

    A roll of 4 px is an eighth of a CIFAR image, and half of one of 8 px: whatever is optimised under that is alike at
    all places, and shows no object.
    """
    found = resolve(method, presets, size, classes)
    low, high = found["roll"].value
    if size < _SMALLEST and found["roll"].source != "given":
        scaled = (round(low * size / _SMALLEST), round(high * size / _SMALLEST))
        found["roll"] = Setting(scaled, f"{found['roll'].source}; shifts scaled from {_SMALLEST} px")
    return found


def noise(context: Context, batch: Batch, size: int, index: int) -> Tensor:
    """Unit Gaussian noise for a batch, the same for every method that begins with it: float32 [B, 3, S, S]."""
    draws = context.generator("set", "inversion-start", index)
    return torch.randn((len(batch.labels), 3, size, size), generator=draws)


def initial_rows(data: Images, batch: Batch, draws: torch.Generator) -> Tensor:
    """A random row of its own class for each canvas: int64 [B].

    Copy i of a class has the i-th row of a random order of the class's rows, which begins again at its end.
    """
    order = random_ranks(len(data), draws)
    by_class = data.targets[order]
    rows = []
    for label, number in zip(batch.labels.tolist(), batch.copies.tolist(), strict=True):
        own = order[by_class == label]
        rows.append(own[number % len(own)])
    return torch.stack(rows)


def real_start(context: Context, data: Images, batch: Batch, teacher: Teacher) -> Tensor:
    """Random training images of the batch's classes as they are stored, normalised for a teacher: [B, 3, S, S]."""
    store = context.protocol.store
    rows = initial_rows(data, batch, context.generator("set", "initial-images"))
    return teacher.normalised(data.canvases(rows, store.size, store.fit, store.interpolation))


def require_batchnorm(method: str, teacher: str, module: nn.Module) -> None:
    """Checks that a teacher's network has BatchNorm statistics to match.

    Raises:
        UnsupportedError: names the method and the teacher.
    """
    if not matchable(module):
        raise UnsupportedError(
            f"{method} matches the statistics of BatchNorm layers, and the teacher {teacher} has none that keeps "
            "statistics. Name one with BatchNorm2d, for example a recipe of the protocol: "
            f"{method}:teacher=[trained:recipe=NAME] (`rethinkdc show PROTOCOL` prints the recipes and their models)."
        )


def require_size(method: str, teacher: Teacher, size: int, usual: str) -> None:
    """Checks that a teacher takes canvases as they are; ``usual`` is a reference of the method that does.

    Raises:
        UnsupportedError: names the method, the teacher and both sizes.
    """
    if teacher.size != size:
        raise UnsupportedError(
            f"{method} optimises canvases of {size} px as the teacher sees them, and the teacher {teacher.id} takes "
            f"{teacher.size} px. Name a teacher of {size} px, such as one that the protocol trains: {usual}."
        )
