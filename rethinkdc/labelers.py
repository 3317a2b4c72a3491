"""What labelers have in common: mixes, the bytes of class indices, and all that asks teachers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Labeler
from rethinkdc.errors import RequestError
from rethinkdc.labels import (
    Averaging,
    Coding,
    Ensemble,
    LabelReader,
    LabelSchedule,
    Objective,
    Shards,
    StoredTargets,
    distillation,
    write_labels,
)
from rethinkdc.method import OfKind, Reference
from rethinkdc.protocol import SoftLabels
from rethinkdc.student import StudentTraining, student_training
from rethinkdc.types import Drawn, Supervision, Track, ViewBatch
from rethinkdc.views import VIEWS_REVISION, CutMix, MixUp, ViewOp

LABEL_SEMANTICS = 1
"""Raised whenever the labels of the same views would be stored otherwise."""

Mix = Literal["protocol", "cutmix", "mixup"]


def mix_op(mix: Mix | None) -> ViewOp | Literal["protocol"] | None:
    """The op that a labeler's ``mix`` names, with the field's defaults."""
    if mix in (None, "protocol"):
        return mix
    return CutMix() if mix == "cutmix" else MixUp()


def index_bytes(compressed: CompressedSet) -> int:
    """Bytes of the class indices of a set: of each the fewest whole bytes that hold every class."""
    bits = max(1, (len(compressed.class_names) - 1).bit_length())
    return -(-bits // 8) * len(compressed)


class SoftLabeler(Labeler):
    """Base of labelers that ask teachers: who is asked, how sharp the labels are, how views are mixed."""

    family: ClassVar[str] = "labels"

    teachers: Annotated[tuple[Reference, ...] | None, OfKind("teacher")] = Field(
        None, description="Who is asked, their logits averaged; none = the protocol's teacher."
    )
    averaging: Averaging = Field("mean", description="How logits are averaged; normed = brought to one norm first.")
    mix: Mix | None = Field("protocol", description="How views are mixed; none = not.")

    def ensemble(self, context: Context) -> Ensemble:
        """The teachers, trained or loaded."""
        wanted: tuple[Reference | None, ...] = (None,) if self.teachers is None else self.teachers
        return Ensemble([context.teacher(reference) for reference in wanted], self.averaging)


class BatchStatistics(SoftLabeler):
    """Base of those that label views, not images: a teacher may take its batch's statistics."""

    teacher_bn: Literal["running", "batch"] = Field(
        "running", description="Statistics of the teachers' BatchNorm: their own, or those of the batch that is asked."
    )

    def ensemble(self, context: Context) -> Ensemble:
        found = super().ensemble(context)
        if self.teacher_bn == "running":
            return found
        return Ensemble([teacher.with_batch_statistics() for teacher in found.teachers], self.averaging)


class Tempered(SoftLabeler):
    """Base of those whose loss is the divergence of two softmaxes at one temperature."""

    temperature: float | None = Field(None, gt=0, description="T of both softmaxes; none = the protocol's.")
    t_squared: bool | None = Field(None, description="Multiply the loss by T^2; none = as the protocol says.")

    def softness(self, context: Context) -> SoftLabels:
        """The temperature, and whether the loss is multiplied by its square.

        Raises:
            RequestError: neither the labeler nor the protocol has a temperature.
        """
        soft: SoftLabels | None = context.protocol.soft
        temperature = self.temperature if self.temperature is not None else soft and soft.temperature
        if temperature is None:
            raise RequestError(
                f"The protocol {context.protocol.id} has no temperature: give {self.name}:temperature=..., or choose "
                "a protocol for soft labels with `rethinkdc list-protocols`."
            )
        squared = self.t_squared if self.t_squared is not None else bool(soft and soft.t_squared)
        return SoftLabels(temperature=temperature, t_squared=squared)

    def objective(self, context: Context) -> Objective:
        """KL divergence at the temperature, of logits and logits."""
        soft = self.softness(context)
        return partial(_distilled, temperature=soft.temperature, t_squared=soft.t_squared)


class OfViews(Tempered, BatchStatistics):
    """Base of those that label views by the divergence of two softmaxes."""


class Stored(OfViews, ABC):
    """Base of those that store labels of views before the student trains, once for all students."""

    track: ClassVar[Track] = "stored"

    @abstractmethod
    def coding(self, classes: int, context: Context) -> Coding:
        """How logits are stored."""

    def batches(self, training: StudentTraining) -> int:
        """How many batches of views get labels."""
        return training.plan.steps

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        mix, objective = mix_op(self.mix), self.objective(context)
        training = student_training(compressed, mix, context)
        seeds, classes = context.seeds, len(compressed.class_names)
        schedule = LabelSchedule(
            training.plan,
            count=self.batches(training),
            **{name: seeds.of("labels", name) for name in ("order", "views", "draws")},
        )
        shards = Shards(schedule, self.coding(classes, context), classes)
        folder = self._written(training, shards, context)
        return StoredTargets(LabelReader(folder, shards), schedule, objective, mix)

    def _written(self, training: StudentTraining, shards: Shards, context: Context) -> Path:
        ensemble, schedule = self.ensemble(context), shards.schedule
        key = {
            "semantics": [LABEL_SEMANTICS, VIEWS_REVISION],
            "set": training.compressed.fingerprint,
            "store": context.protocol.store.model_dump(mode="json"),
            "views": training.recipe.model_dump(mode="json", include={"views"}),
            "mix": None if training.views.mix is None else training.views.mix.model_dump(mode="json"),
            "batches": [training.plan.rows, training.plan.batch, schedule.count],
            "seeds": [schedule.order, schedule.views],
            "teachers": [ensemble.digests, self.averaging, self.teacher_bn],
            "coding": shards.coding.definition(),
        }

        def render(batch: int) -> ViewBatch:
            return training.render(Drawn(schedule.key(batch), schedule.rows(batch)))

        def build(inner: Context, out: Path) -> None:
            with inner.progress.task("labels", schedule.count) as done:
                inner.earlier += write_labels(
                    shards, ensemble, render, work=inner.folder, out=out, workers=inner.workers, done=done
                )

        return context.artefact("labels", key, "labels", build)


def _distilled(logits: Tensor, soft: Tensor, hard: Tensor, *, temperature: float, t_squared: bool) -> Tensor:  # noqa: ARG001
    return distillation(logits, soft, temperature, t_squared=t_squared)


__all__ = [
    "LABEL_SEMANTICS",
    "BatchStatistics",
    "Mix",
    "OfViews",
    "SoftLabeler",
    "Stored",
    "Tempered",
    "index_bytes",
    "mix_op",
]
