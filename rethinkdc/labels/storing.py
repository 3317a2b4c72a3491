"""What labelers that store the labels of views have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.labels.asking import LABEL_SEMANTICS, OfViews
from rethinkdc.labels.coding import Coding
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.learning import Learner, learn, learned_coding
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
    distinct: ClassVar[bool] = False
    """Whether an epoch draws no batch of fewer stored ones twice."""

    @abstractmethod
    def coding(self, classes: int, context: Context) -> Coding | Learner:
        """How logits are stored, or what learns that from some of them."""

    def batches(self, training: StudentTraining) -> int:
        """How many batches of views get labels."""
        return training.length.steps

    def supervise(self, reader: LabelReader, schedule: LabelSchedule, context: Context) -> Supervision:
        """What a student learns from, of labels that are stored."""
        return StoredTargets(reader, schedule, self.objective(context), mix_op(self.mix))

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        # Asked for once, before labels are made that no loss could use.
        self.softness(context)
        mix = mix_op(self.mix)
        training = student_training(
            compressed, mix, context.protocol, ipc=context.ipc, device=context.device, workers=context.workers
        )
        seeds = context.seeds
        schedule = LabelSchedule(
            training.length,
            count=self.batches(training),
            distinct=self.distinct,
            **{name: seeds.of("labels", name) for name in ("order", "views", "draws")},
        )
        return self.supervise(self._stored(training, schedule, context), schedule, context)

    def _stored(self, training: StudentTraining, schedule: LabelSchedule, context: Context) -> LabelReader:
        """The labels, made or found."""
        ensemble, classes = self.ensemble(context), len(training.compressed.class_names)
        key = self._key(training, schedule, ensemble, context)

        def render(batch: int) -> ViewBatch:
            return training.render(Drawn(schedule.key(batch), schedule.rows(batch)))

        coding, decoder = self.coding(classes, context), None
        if isinstance(coding, Learner):
            decoder = learn(coding, schedule, ensemble, render, key, context)
            coding, learned = learned_coding(coding, decoder)
            key["learned"] = learned
        shards = Shards(schedule, coding, classes)
        key["coding"] = coding.definition()

        def build(inner: Context, out: Path) -> None:
            write_labels(shards, ensemble, render, inner, out)

        folder = context.artefact("labels", key, "labels", build, files=shards.files)
        return LabelReader(folder, shards, decoder)

    def _key(
        self, training: StudentTraining, schedule: LabelSchedule, ensemble: Ensemble, context: Context
    ) -> dict[str, Any]:
        """All that the logits depend on, as JSON data."""
        return {
            "semantics": [LABEL_SEMANTICS, VIEWS_REVISION],
            "set": training.compressed.fingerprint,
            "store": context.protocol.store.model_dump(mode="json"),
            "views": training.recipe.model_dump(mode="json", include={"views", "fixed_views"}),
            "mix": None if training.views.mix is None else training.views.mix.model_dump(mode="json"),
            "batches": [training.length.rows, training.length.batch, schedule.count],
            "seeds": [schedule.order, schedule.views],
            "teachers": [ensemble.digests, self.averaging, self.teacher_bn],
        }
