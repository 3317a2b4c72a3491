"""What compressors that match the statistics of several teachers have in common (G-VBSM, EDC)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Setting
from rethinkdc.contracts.presets import chosen, fits, nearest_dataset
from rethinkdc.distillation.batchnorm import running_statistics
from rethinkdc.distillation.convolution import CONVOLUTION, patches
from rethinkdc.distillation.descent import Optimisation, Turn
from rethinkdc.distillation.gathering import class_statistics
from rethinkdc.distillation.layer_statistics import Goal, StatisticsMatching
from rethinkdc.distillation.recovering import Batch, Beginning, Recovering, Synthesis, noise, require_size
from rethinkdc.distillation.statistics import BATCHNORM, Gathered, Statistic
from rethinkdc.errors import UnsupportedError
from rethinkdc.method import OfKind
from rethinkdc.reference import Reference
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget
from rethinkdc.views import CropPad, Flip, RandomResizedCrop, ViewOp, uniforms

Crop = Literal["resized", "padded", "whole"]
Start = Callable[[Batch, int], Tensor]
"""Where a batch begins, by its number: [B, 3, S, S], normalised for the first teacher."""


class Real(NamedTuple):
    """Statistics of real images under one teacher: what was gathered, and what they are over all images."""

    gathered: Gathered
    overall: Goal


class StatisticalMatching(Recovering):
    """Base of compressors that optimise images until several teachers, in turn, see real images' statistics in them.

    A batch is of whole classes. Images are kept, cropped and clamped in the normalisation of the first teacher, and
    shown to each in its own. Matched are the inputs of BatchNorm layers and, by channel and by patch, of convolutions,
    so that teachers need no BatchNorm. A subclass says what they should be, where images begin, and what else counts.

    Attributes:
        by_class: whether real statistics are gathered class by class.
    """

    by_class: ClassVar[bool] = False
    faults: ClassVar[Mapping[str, tuple[str, str]]] = {
        **Recovering.faults,
        "moving averages": ("begin at 0", "begin with the first statistics"),
    }

    weight: float | None = Field(
        default=None, ge=0, description="Weight of the statistics beside the cross-entropy; none = the paper's."
    )
    first: float = Field(default=10.0, ge=0, description="Multiplier of a teacher's first layer that is matched.")
    alpha: float | None = Field(
        default=None, ge=0, lt=1, description="What a step keeps of the statistics' moving average; none = paper's."
    )
    drop: float | None = Field(
        default=None, ge=0, lt=1, description="Share of convolutions that a step leaves out; none = the paper's."
    )
    patch: int | None = Field(
        default=None, ge=1, description="Side of a patch in pixels of a convolution's input; none = the paper's."
    )
    batch: int | None = Field(
        default=None, ge=1, description="Images optimised together, of whole classes if it holds one; none = paper's."
    )
    crop: Crop | None = Field(
        default=None, description="Random crops of each step; padded = by an eighth of the side; none = the paper's."
    )
    min_area: float | None = Field(
        default=None, gt=0, le=1, description="Smallest share of the canvas in a resized crop; none = the paper's."
    )
    flip: bool = Field(default=True, description="Random flips, of each step and where statistics are taken.")
    statistics: Crop | None = Field(
        default=None,
        description="Views of the training images that statistics are taken of; whole = as the teacher is tested; "
        "none = the paper's.",
    )
    images: int | None = Field(
        default=None, ge=1, description="Training images that statistics are taken of, of all classes; none = all."
    )
    teachers: Annotated[tuple[Reference, ...] | None, OfKind("teacher")] = Field(
        default=None, description="Networks that are matched in turn; none = the paper's, trained by the protocol."
    )

    @model_validator(mode="after")
    def _somebody_teaches(self) -> StatisticalMatching:
        if self.teachers == ():
            raise ValueError("teachers=[] names nobody; leave it out for the paper's teachers")
        return self

    # -- what a subclass may change --------------------------------------------------------------------------------

    def starting(self, synthesis: Synthesis) -> Start:
        """Where batches begin; called once before the first: unit Gaussian noise."""
        return lambda batch, index: noise(synthesis, batch, index)

    def gathered(self, values: Mapping[str, Any]) -> list[Statistic]:
        """What is gathered of real images. BatchNorm layers know their own overall statistics."""
        return [CONVOLUTION, patches(values["patch"])]

    def goals(self, real: Real, labels: Tensor) -> list[Goal]:  # noqa: ARG002
        """What the statistics of a batch should be; ``labels`` are its classes, int64 [B]."""
        return [real.overall]

    # -- the way of all --------------------------------------------------------------------------------------------

    def open_references(self, size: int, classes: int) -> dict[str, tuple[Reference, ...]]:
        if self.teachers is not None:
            return {}
        name, _ = nearest_dataset(size, classes)
        if not fits(name, size, classes):
            raise UnsupportedError(
                f"{self.name} matches several teachers in turn, and its paper names them for images of 32 and 64 px, "
                f"and for ImageNet-1K at 224 px; these have {size} px and {classes} classes. Name your own: "
                f"{self.name}:teachers=[trained,trained:recipe=weak]. With one, {self.name}:teachers=[trained], it is "
                "another method, and the row says so."
            )
        return {"teachers": chosen(self.presets, size, classes).values["teachers"]}

    def resolved(self, size: int, classes: int) -> dict[str, Setting]:
        settings = super().resolved(size, classes)
        if self.teachers is None and not fits(nearest_dataset(size, classes)[0], size, classes):
            settings["teachers"] = Setting(None, "to be named: the paper's are for 32 px, 64 px and ImageNet-1K")
        return settings

    def ops(self, values: Mapping[str, Any], size: int, iteration: int) -> list[ViewOp]:  # noqa: ARG002
        return cropping(values["crop"], size, values["min_area"], flip=self.flip)

    def recipe(self, values: Mapping[str, Any]) -> Optimisation:
        return Optimisation(values["iterations"], values["lr"], values["weight"], self.first)

    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        """All canvases of as many classes as ``size`` holds, or parts of one class where it holds none."""
        assert size is not None
        return by_classes(budget, size)

    def asked(self, budget: Budget, context: Context) -> list[Teacher]:
        self._check_images(budget)
        named = self.teachers or self.open_references(budget.size, budget.classes)["teachers"]
        teachers = [context.teacher(one) for one in named]
        for teacher in teachers:
            self._check_teacher(teacher, budget.size)
        return teachers

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        start, real = self.starting(synthesis), [self._real(synthesis, teacher) for teacher in synthesis.teachers]

        def begun(batch: Batch, index: int, _: Tensor) -> Beginning:
            turns = [
                self._turn(synthesis, teacher, known, batch.labels, index)
                for teacher, known in zip(synthesis.teachers, real, strict=True)
            ]
            return Beginning(start(batch, index), turns)

        return begun

    def _real(self, synthesis: Synthesis, teacher: Teacher) -> Real:
        """The statistics of real images under one teacher, in one pass for all kinds."""
        crop = synthesis.values["statistics"]
        ops = [] if crop == "whole" else cropping(crop, synthesis.budget.size, 0.08, flip=self.flip)
        gathered = class_statistics(
            synthesis.context,
            teacher,
            synthesis.data,
            self.gathered(synthesis.values),
            ops,
            images=self.images,
            by_class=self.by_class,
        )
        overall = {
            kind: {name: moments.overall().of(0) for name, moments in own.items()} for kind, own in gathered.items()
        }
        return Real(gathered, Goal(1.0, {**overall, BATCHNORM.name: running_statistics(teacher.module)}))

    def _turn(self, synthesis: Synthesis, teacher: Teacher, real: Real, labels: Tensor, index: int) -> Turn:
        """One teacher's part in a batch."""
        values, kinds = synthesis.values, [BATCHNORM, CONVOLUTION, patches(synthesis.values["patch"])]
        matching = StatisticsMatching(
            teacher.module, kinds, self.goals(real, labels), values["alpha"], from_zero=self.as_published
        )
        droppable = [name for name, layer in matching.layers.items() if CONVOLUTION.looks_at(layer)]
        seed = synthesis.context.seeds.of("set", "left-out-layers")

        def left_out(iteration: int) -> Collection[str]:
            drawn = uniforms(seed, "layers", iteration, index, (len(droppable),))
            return {name for name, draw in zip(droppable, drawn.tolist(), strict=True) if draw < values["drop"]}

        return Turn(matching, renormalisation(synthesis.teachers[0], teacher), left_out if values["drop"] else None)

    def _check_images(self, budget: Budget) -> None:
        """Checks that statistics are taken of some image of each class.

        Raises:
            UnsupportedError: says how many it takes.
        """
        if self.images is not None and self.images < budget.classes:
            raise UnsupportedError(
                f"{self.name}:images={self.images} takes statistics of fewer images than there are classes "
                f"({budget.classes}). Take {budget.classes} or more, or leave it out for all."
            )

    def _check_teacher(self, teacher: Teacher, size: int) -> None:
        """Checks that a teacher has a layer to match and takes canvases as they are.

        Raises:
            UnsupportedError: names the teacher, and what does not fit.
        """
        if not any(kind.looks_at(layer) for kind in (BATCHNORM, CONVOLUTION) for layer in teacher.module.modules()):
            raise UnsupportedError(
                f"{self.name} matches what convolutions and BatchNorm layers are given, and the teacher {teacher.id} "
                f"has neither. Name one with Conv2d or BatchNorm2d: {self.name}:teachers=[trained:model=convnet]."
            )
        require_size(self.name, teacher, size, f"{self.name}:teachers=[trained]")


def by_classes(budget: Budget, size: int) -> list[Batch]:
    """Batches class by class: all canvases of as many classes as ``size`` holds, or parts of one class where none."""
    return [
        Batch(labels.repeat_interleave(len(copies)), copies.repeat(len(labels)))
        for labels in torch.arange(budget.classes).split(max(1, size // budget.ipc))
        for copies in torch.arange(budget.ipc).split(min(size, budget.ipc))
    ]


def cropping(crop: Crop, size: int, min_area: float, *, flip: bool) -> list[ViewOp]:
    """Random crops and flips of images at ``size`` px; none at all where they are shown whole without flips."""
    ops: list[ViewOp] = []
    if crop == "resized":
        ops.append(RandomResizedCrop(scale=(min_area, 1.0)))
    elif crop == "padded":
        # 4 px of 32 and 8 px of 64, as the authors have it.
        ops.append(CropPad(padding=size // 8))
    return [*ops, Flip()] if flip else ops


def renormalisation(common: Teacher, own: Teacher) -> Callable[[Tensor], Tensor] | None:
    """From images in one teacher's normalisation to those in another's, with gradients; None where both are one."""
    if (common.mean, common.std) == (own.mean, own.std):
        return None
    means, stds, own_means, own_stds = (
        torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)
        for values in (common.mean, common.std, own.mean, own.std)
    )
    scale = (stds / own_stds).float().to(own.device)
    shift = ((means - own_means) / own_stds).float().to(own.device)
    return lambda images: images * scale + shift
