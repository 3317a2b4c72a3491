"""What labelers that store the labels of views have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.labels.asking import LABEL_SEMANTICS, OfViews
from rethinkdc.labels.coding import Coding
from rethinkdc.labels.mixing import mix_op
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.labels.shards import LabelReader, Shards, write_labels
from rethinkdc.labels.supervision import StoredTargets
from rethinkdc.protocol.student import StudentTraining, student_training
from rethinkdc.types import Drawn, Supervision, Track, ViewBatch
from rethinkdc.views import VIEWS_REVISION


class StoredLabeler(OfViews, ABC):
    """Base of those that store labels of views before the student trains, once for all students."""

    track: ClassVar[Track] = "stored"

    @abstractmethod
    def coding(self, classes: int, context: Context) -> Coding:
        """How logits are stored."""

    def batches(self, training: StudentTraining) -> int:
        """How many batches of views get labels."""
        return training.length.steps

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        mix, objective = mix_op(self.mix), self.objective(context)
        training = student_training(
            compressed, mix, context.protocol, ipc=context.ipc, device=context.device, workers=context.workers
        )
        seeds, classes = context.seeds, len(compressed.class_names)
        schedule = LabelSchedule(
            training.length,
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
            "views": training.recipe.model_dump(mode="json", include={"views", "fixed_views"}),
            "mix": None if training.views.mix is None else training.views.mix.model_dump(mode="json"),
            "batches": [training.length.rows, training.length.batch, schedule.count],
            "seeds": [schedule.order, schedule.views],
            "teachers": [ensemble.digests, self.averaging, self.teacher_bn],
            "coding": shards.coding.definition(),
        }

        def render(batch: int) -> ViewBatch:
            return training.render(Drawn(schedule.key(batch), schedule.rows(batch)))

        def build(inner: Context, out: Path) -> None:
            write_labels(shards, ensemble, render, inner, out)

        return context.artefact("labels", key, "labels", build, files=shards.files)
