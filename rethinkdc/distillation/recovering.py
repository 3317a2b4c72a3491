"""What compressors that recover images from teachers have in common, however many teachers there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Setting
from rethinkdc.data.by_class import rows_by_class
from rethinkdc.distillation.descent import Optimisation, Turn, recover
from rethinkdc.distillation.optimisation import normalised_range
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.distillation.presets import Preset, resolve
from rethinkdc.errors import UnsupportedError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.pruning.classwise import random_ranks
from rethinkdc.training.precision import computing
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import DifferentiableViews, ViewOp


def _ordered(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError(f"a range is (smallest, largest); found {value}")
    return value


PixelRange = Annotated[tuple[int, int], AfterValidator(_ordered)]
"""Smallest and largest number of pixels."""


class Batch(NamedTuple):
    """Canvases that are optimised together: the class of each, and which of its class it is; int64 [B] both."""

    labels: Tensor
    copies: Tensor


@dataclass(frozen=True)
class Synthesis:
    """All that a set is made from.

    Attributes:
        context: of the making.
        data: the training set.
        budget: of the set.
        teachers: in the order of their turns; images are kept in the normalisation of the first.
        values: the resolved parameters.
    """

    context: Context
    data: Images
    budget: Budget
    teachers: Sequence[Teacher]
    values: Mapping[str, Any]

    @cached_property
    def shuffled(self) -> list[Tensor]:
        """The rows of each class in a random order, the same for every method that begins with real images."""
        order = random_ranks(len(self.data), self.context.generator("set", "initial-images"))
        return rows_by_class(self.data.targets, self.budget.classes, order)


class Beginning(NamedTuple):
    """How a batch is recovered.

    Attributes:
        images: where it begins, in the first teacher's normalisation: float32 [B, 3, S, S].
        turns: of the teachers, in their order; on the first one's device.
    """

    images: Tensor
    turns: Sequence[Turn]


class Recovering(Compressor, ABC):
    """Base of compressors that optimise images until teachers see their classes with the statistics of real ones.

    A part of the set is one batch. ``presets`` holds the values that a paper gives for each dataset; parameters that
    are none are taken from there.
    """

    family: ClassVar[str] = "distillation"
    presets: ClassVar[Mapping[str, Preset]]

    iterations: int | None = Field(default=None, ge=1, description="T, steps of each image; none = the paper's.")
    lr: float | None = Field(default=None, gt=0, description="Adam's first learning rate; none = the paper's.")
    views: Literal["shared", "per-image"] = Field(
        default="shared", description="One draw of the views of each step for the batch, as the papers' code, or each."
    )

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:  # noqa: ARG002
        return self.resolved(protocol.store.size, protocol.data.classes)

    # -- what a subclass says --------------------------------------------------------------------------------------

    def resolved(self, size: int, classes: int) -> dict[str, Setting]:
        """Every parameter's value for canvases of one size and number of classes, and where it comes from."""
        return resolve(self, self.presets, size, classes)

    @abstractmethod
    def asked(self, budget: Budget, context: Context) -> list[Teacher]:
        """The teachers, one at least, each checked for what the method needs of it."""

    @abstractmethod
    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        """The batches in order; ``size`` is the resolved parameter ``batch``."""

    @abstractmethod
    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        """Gathers what all batches need, and says how each is recovered: from a batch, its number and its labels.

        The labels are those of the batch, on the first teacher's device.
        """

    @abstractmethod
    def recipe(self, values: Mapping[str, Any]) -> Optimisation:
        """The numbers of the optimisation."""

    @abstractmethod
    def ops(self, values: Mapping[str, Any], size: int, iteration: int) -> list[ViewOp]:
        """The view ops of a 0-based iteration, for canvases of ``size`` px."""

    def prior(self, batch: Batch) -> Callable[[Tensor], Tensor] | None:  # noqa: ARG002
        """What the views [B, 3, S, S] of a batch themselves add to the loss; None = nothing."""
        return None

    # -- the way of all --------------------------------------------------------------------------------------------

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        # By the budget, not by the protocol: the set's key holds the one and not the other.
        values = {key: setting.value for key, setting in self.resolved(budget.size, budget.classes).items()}
        teachers = self.asked(budget, context)
        noted = {key: value for key, value in values.items() if key not in ("teacher", "teachers")}
        context.note(**{f"{self.name}_settings": noted})
        synthesis = Synthesis(context, data, budget, teachers, values)
        prepared, batches = self.prepared(synthesis), self.batches(budget, values["batch"])

        def make(index: int) -> dict[str, Tensor]:
            images = self._made(synthesis, prepared, batches, index)
            return make_part(images, batches[index].labels, teachers[0].mean, teachers[0].std)

        return assemble_set(context.parts(len(batches), make), data.class_names)

    def _made(
        self,
        synthesis: Synthesis,
        prepared: Callable[[Batch, int, Tensor], Beginning],
        batches: Sequence[Batch],
        index: int,
    ) -> Tensor:
        """The images of one batch, in the first teacher's normalisation: float32 [B, 3, S, S]."""
        common, batch, name = synthesis.teachers[0], batches[index], f"batch {index + 1} of {len(batches)}"
        labels, recipe = batch.labels.to(common.device), self.recipe(synthesis.values)
        low, high = normalised_range(common.mean, common.std)
        context = synthesis.context
        numbers = computing(common.device, context.protocol.precision)
        with numbers, context.progress.task(name, recipe.iterations) as advance:
            images, turns = prepared(batch, index, labels)
            return recover(
                images.to(common.device, memory_format=torch.channels_last),
                labels,
                turns,
                recipe,
                view=lambda current, iteration: self.viewed(synthesis, current, iteration, index),
                low=low,
                high=high,
                prior=self.prior(batch),
                where=name,
                advance=advance,
                kept=context.resumable("images"),
            )

    def viewed(self, synthesis: Synthesis, images: Tensor, iteration: int, index: int) -> Tensor:
        """The views of batch ``index`` in a 0-based iteration: the same uniforms for every method."""
        size = synthesis.budget.size
        views = DifferentiableViews(
            self.ops(synthesis.values, size, iteration), size=size, shared=synthesis.values["views"] == "shared"
        )
        return views.render(images, ViewKey(synthesis.context.seeds.of("set", "inversion-views"), iteration, index))


def noise(synthesis: Synthesis, batch: Batch, index: int) -> Tensor:
    """Unit Gaussian noise for a batch, the same for every method that begins with it: float32 [B, 3, S, S]."""
    draws, size = synthesis.context.generator("set", "inversion-start", index), synthesis.budget.size
    return torch.randn((len(batch.labels), 3, size, size), generator=draws)


def real_images(synthesis: Synthesis, batch: Batch) -> Tensor:
    """Random training images of the batch's classes as they are stored, in the first teacher's normalisation."""
    store = synthesis.context.protocol.store
    rows = initial_rows(synthesis.shuffled, batch)
    return synthesis.teachers[0].normalised(synthesis.data.canvases(rows, store.size, store.fit, store.interpolation))


def initial_rows(shuffled: Sequence[Tensor], batch: Batch) -> Tensor:
    """A random row of its own class for each canvas: int64 [B].

    Copy i of a class has the i-th row of a random order of the class's rows, which begins again at its end.

    Args:
        shuffled: the rows of each class in that order, int64 each.
        batch: the canvases.
    """
    pairs = zip(batch.labels.tolist(), batch.copies.tolist(), strict=True)
    return torch.stack([shuffled[label][number % len(shuffled[label])] for label, number in pairs])


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
