"""What a run was, as its record: what was measured, what is doubtful, what it cost, and by what it was carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from rethinkdc import ranks
from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.declared import check_evaluation
from rethinkdc.measurement import Evaluation
from rethinkdc.method import Method
from rethinkdc.notes import MethodCode
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.counting import count_cost
from rethinkdc.runs.doubts import doubts_of
from rethinkdc.runs.environment import describe_environment
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.own_views import doubt_of_labels, measure_agreement
from rethinkdc.runs.predictions import keep_predictions
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records, now
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.sharpness import doubt_of_sharpness
from rethinkdc.runs.sheets import keep_sheet
from rethinkdc.types import Images, Supervision


class Given(NamedTuple):
    """What a labeler gave, the seconds that this took, and the images that it was asked about."""

    supervision: Supervision
    seconds: float
    images: int | None


@dataclass(frozen=True)
class Recording:
    """Makes the records of this machine.

    Attributes:
        registry: knows whose the methods are, and their code.
        records: beside which predictions and sheets are written.
        beside: what is kept beside them.
        device: that computes.
        threads: of a CPU.
    """

    registry: Registry
    records: Records
    beside: Beside
    device: torch.device
    threads: int

    def record(self, run: Run, **values: Any) -> Record:
        """A record of a run; ``values`` are what it has beside that which follows from the run and this machine."""
        if "code" not in values:
            values["code"] = self._others(run, run.methods)
        return Record(
            key=run.key,
            created=now(),
            names=run.names,
            definition=run.definition,
            protocol_digest=run.protocol.digest,
            dataset_fingerprint=run.dataset_fingerprint,
            modified=run.modified,
            tune=run.request.tune,
            track=run.labeler.track,
            metrics=run.evaluator.metrics,
            environment={**describe_environment(self.device), "threads": self.threads, "ranks": ranks.world()},
            plugins={**self.registry.used(run.methods), **self.registry.view_ops.used(run.protocol.foreign_ops)},
            **values,
        )

    def of_evaluation(
        self,
        run: Run,
        context: RunContext,
        test: Images,
        compressed: CompressedSet,
        labels: Given,
        evaluation: Evaluation,
    ) -> Record:
        """The record of a run whose student is measured; what is kept beside it is written.

        Args:
            run: that was carried out.
            context: of it, with what was noted and what it cost.
            test: the test images.
            compressed: its set.
            labels: what its labeler gave.
            evaluation: what was measured.
        """
        check_evaluation(evaluation, run.evaluator)
        family = run.compressor.family if run.compressor else ""
        track = run.labeler.track
        agreement = None if track == "hard" else measure_agreement(compressed, labels.supervision, context)
        doubted = doubt_of_labels(agreement, context.books.told)
        doubts = doubts_of(evaluation, test, track=track, family=family, labels=doubted)
        if blurred := doubt_of_sharpness(compressed, test, context):
            doubts.append(blurred)
        said = evaluation.predictions if self.beside.predictions else None
        return self.record(
            run,
            status="ok",
            evaluation=evaluation.model_copy(update={"predictions": None}),
            # Before the record, which never names what is not there.
            predictions=said and keep_predictions(self.records, run.key, said),
            sheet=keep_sheet(self.records, run.key, compressed, run.protocol.store) if self.beside.sheet else None,
            result_digest=evaluation.result_digest,
            cost=count_cost(
                context,
                compressed,
                labels.supervision.cost,
                evaluation,
                label_seconds=labels.seconds,
                label_images=labels.images,
            ),
            code=self._codes(run, compressed),
            histogram=compressed.histogram(),
            sources_per_class=compressed.sources_per_class(),
            notes={**context.books.notes, **_assumed(run), **({"doubts": doubts} if doubts else {})},
        )

    def _codes(self, run: Run, compressed: CompressedSet) -> tuple[MethodCode, ...]:
        """By which code a run was carried out: its set may have been made by an earlier one."""
        others = self._others(run, [method for method in run.methods if method is not run.compressor])
        return (*compressed.card.code, *(one for one in others if one not in compressed.card.code))

    def _others(self, run: Run, methods: Iterable[Method]) -> tuple[MethodCode, ...]:
        """The code of methods, and of the protocol's view ops that packages bring."""
        return (*self.registry.codes(methods), *self.registry.view_ops.codes(run.protocol.foreign_ops))


def _assumed(run: Run) -> dict[str, Any]:
    """What no file holds: values of a derived protocol, those that overrides put in place of a file's, the setting."""
    derived = run.protocol.status == "derived"
    values = run.protocol.model_dump(mode="json", exclude={"sources"}, exclude_none=True)
    overrides = run.request.changes if run.modified else {}
    return {
        **({"derived_protocol": values} if derived else {}),
        **({"overrides": overrides} if overrides else {}),
        **({"setting": run.request.setting} if run.request.setting else {}),
    }
