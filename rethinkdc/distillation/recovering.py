"""What compressors that recover images from teachers have in common, however many teachers there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Deviation, Setting
from rethinkdc.contracts.presets import Preset, chosen, nearest_dataset, resolve
from rethinkdc.data.by_class import rows_by_class
from rethinkdc.distillation.descent import Optimisation, Turn, recover
from rethinkdc.distillation.optimisation import GradientSum, normalised_range
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.errors import UnsupportedError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.pruning.classwise import random_ranks
from rethinkdc.reference import Reference
from rethinkdc.training.precision import computing
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images, ViewKey
from rethinkdc.views import DifferentiableViews, ViewOp


def _ordered(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError(f"a range is (smallest, largest); found {value}")
    return value


AUTHORS_PRECISION = "tf32-conv"
"""What the papers' code synthesises in: PyTorch's default on GPUs."""
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
        summed: adds up gradients of the networks meanwhile; None = nobody asks for them.
        shares: of the networks in each iteration; None = they take turns.
        shown: the images that an iteration shows, as positions int64; None = all.
        edits: what becomes of the images before an iteration, by its number.
    """

    images: Tensor
    turns: Sequence[Turn]
    summed: GradientSum | None = None
    shares: Sequence[float] | None = None
    shown: Callable[[int], Tensor] | None = None
    edits: Mapping[int, Callable[[Tensor], Tensor]] | None = None


class Recovering(Compressor, ABC):
    """Base of compressors that optimise images until teachers see their classes with the statistics of real ones.

    A part of the set is one batch. ``presets`` holds the values that a paper gives for each dataset; parameters that
    are none are taken from there.
    """

    family: ClassVar[str] = "distillation"
    presets: ClassVar[Mapping[str, Preset]]
    faults: ClassVar[Mapping[str, tuple[str, str]]] = {
        "pixels": ("cut off to whole grey levels", "rounded to whole grey levels")
    }
    """What the authors' code does wrong and their numbers carry, by what it is about: there, and here."""
    jpeg: ClassVar[Collection[str]] = ("cifar10", "cifar100", "tiny-imagenet", "imagenet-1k", "imagenet-21k")
    """The datasets whose images the authors' code writes as JPEG of quality 75."""
    authors_precision: ClassVar[str] = AUTHORS_PRECISION

    iterations: int | None = Field(default=None, ge=1, description="T, steps of each image; none = the paper's.")
    lr: float | None = Field(default=None, gt=0, description="Adam's first learning rate; none = the paper's.")
    views: Literal["shared", "per-image"] = Field(
        default="shared", description="One draw of the views of each step for the batch, as the papers' code, or each."
    )
    as_published: bool = Field(
        default=False,
        description="Keep the faults of the authors' code that their numbers carry; `show NAME -d DATASET` lists them.",
    )

    def rows_per_canvas(self) -> int:
        return 0

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:  # noqa: ARG002
        return self.resolved(protocol.store.size, protocol.data.classes)

    def published(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:  # noqa: ARG002
        # As the scripts have it, before anything is adapted to other canvases.
        return resolve(type(self)(), self.presets, protocol.store.size, protocol.data.classes)

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        size, classes = protocol.store.size, protocol.data.classes
        told = {
            name: Deviation(there, here, "a fault of their code; as_published=true keeps it")
            for name, (there, here) in ({} if self.as_published else self.faults).items()
        }
        if protocol.precision != self.authors_precision:
            usual = self.authors_precision == AUTHORS_PRECISION
            why = f"PyTorch's default on their GPUs; --precision {AUTHORS_PRECISION}" if usual else "not to be had here"
            told["precision"] = Deviation(self.authors_precision, protocol.precision, why)
        if nearest_dataset(size, classes)[0] in self.jpeg:
            told["files"] = Deviation("JPEG of quality 75", "lossless", "a set is what its method made")
        meant, own = chosen(self.presets, size, classes).values["batch"], self.resolved(size, classes)["batch"].value
        made = self.batches(Budget(ipc=ipc, classes=classes, size=size), own) if ipc else []
        seen = {len(batch.labels) for batch in made}
        if meant and seen and seen != {meant}:
            found = " or ".join(str(number) for number in sorted(seen, reverse=True))
            told["images of a step"] = Deviation(str(meant), found, "a batch is of whole classes, or of parts of one")
        return told

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

    def chains(self, batches: Sequence[Batch]) -> list[range]:
        """The batches, by number, that follow from one another and make one part: each is one of its own."""
        return [range(index, index + 1) for index in range(len(batches))]

    @abstractmethod
    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        """Gathers what all batches need, and says how each is recovered: from a batch, its number and its labels.

        The labels are those of the batch, on the first teacher's device.
        """

    def planned(self, synthesis: Synthesis, batch: Batch) -> Mapping[str, Any]:  # noqa: ARG002
        """The values of one batch, where they are not those of all."""
        return synthesis.values

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

        chains = self.chains(batches)

        def make(index: int) -> dict[str, Tensor]:
            made = [self._made(synthesis, prepared, batches, number) for number in chains[index]]
            labels = torch.cat([batches[number].labels for number in chains[index]])
            return make_part(torch.cat(made), labels, teachers[0].mean, teachers[0].std, cut=self.as_published)

        return assemble_set(context.parts(len(chains), make), data.class_names)

    def _made(
        self,
        synthesis: Synthesis,
        prepared: Callable[[Batch, int, Tensor], Beginning],
        batches: Sequence[Batch],
        index: int,
    ) -> Tensor:
        """The images of one batch, in the first teacher's normalisation: float32 [B, 3, S, S]."""
        common, batch, name = synthesis.teachers[0], batches[index], f"batch {index + 1} of {len(batches)}"
        synthesis = replace(synthesis, values=self.planned(synthesis, batch))
        labels, recipe = batch.labels.to(common.device), self.recipe(synthesis.values)
        low, high = normalised_range(common.mean, common.std)
        context = synthesis.context
        numbers = computing(common.device, context.protocol.precision)
        with numbers, context.progress.task(name, recipe.iterations) as advance:
            begun = prepared(batch, index, labels)
            return recover(
                begun.images.to(common.device, memory_format=torch.channels_last),
                labels,
                begun.turns,
                recipe,
                view=lambda current, iteration: self.viewed(synthesis, current, iteration, index),
                low=low,
                high=high,
                prior=self.prior(batch),
                where=name,
                advance=advance,
                kept=context.resumable("images" if len(self.chains(batches)) == len(batches) else f"images-{index}"),
                summed=begun.summed,
                shares=begun.shares,
                shown=begun.shown,
                edits=begun.edits,
            )

    def viewed(self, synthesis: Synthesis, images: Tensor, iteration: int, index: int) -> Tensor:
        """The views of batch ``index`` in a 0-based iteration: the same uniforms for every method."""
        size = images.shape[-1]
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


def stitched_images(synthesis: Synthesis, teacher: Reference | None) -> Callable[[Batch], Tensor]:
    """The set of ``rded`` under a teacher, made once: the canvases of a batch, normalised for the first teacher."""
    wanted = Reference(name="rded", values={"teacher": teacher} if teacher else {})
    begun = synthesis.context.compress(wanted, synthesis.data, synthesis.budget)
    own = rows_by_class(begun.targets, synthesis.budget.classes)

    def of(batch: Batch) -> Tensor:
        pairs = zip(batch.labels.tolist(), batch.copies.tolist(), strict=True)
        rows = [int(own[label][copy]) for label, copy in pairs]
        return synthesis.teachers[0].normalised(begun.canvases(begun.targets.new_tensor(rows), synthesis.budget.size))

    return of


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
