"""What boards need of a record: little, so that ten thousand are read at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rethinkdc.boards.beside import Machine
from rethinkdc.measurement import Metric
from rethinkdc.notes import Notes
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.record import KeptPredictions, Names, Record, Status
from rethinkdc.seeds import Seeds
from rethinkdc.storage import canonical_json, digest

_KEEP = re.compile(r"\bkeep (?P<share>[^ ,)]+)")
"""Where the name of a size tells the share of the training set."""


_MOST_REASON = 500
"""Characters that boards show of why a run did not end well; the record tells all."""
_OF_SOFT_LABELS = "labels"
"""Among the semantics of a run: those of soft labels, which runs with hard ones do not have."""


def semantics_across_labels(semantics: Mapping[str, int]) -> str:
    """What must be equal of the semantics of two runs for their labels to be all that differs, as JSON."""
    return canonical_json({name: version for name, version in semantics.items() if name != _OF_SOFT_LABELS})


@dataclass(frozen=True)
class Place:
    """All that parts boards: runs of one place may be compared.

    Attributes:
        protocol: digest.
        dataset: fingerprint.
        track: of the labels.
        modified: whether an override changes the protocol.
        evaluator: its definition.
        student: its definition.
        semantics: versions of what the core does.
        ipc: None = only full sets.
        images: in all, of shares and lists that are no ``ipc`` of each class; else None.
        machine: what computed; None where machines are pooled.
    """

    protocol: str
    dataset: str
    track: str
    modified: bool
    evaluator: str
    student: str
    semantics: str
    ipc: int | None
    images: int | None
    machine: Machine | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What boards need of a record.

    Attributes:
        key: of the run.
        attempt: from 1.
        status: how it ended.
        reason: why it did not end well; its beginning, where a record tells at length.
        created: when, as the record tells.
        names: what people call the parts of the run.
        place: where it may be compared.
        machine: what computed it.
        tune: whether it is of a tuning split, which no board shows.
        seeds: of the run.
        method: digest of how the set is made and labelled: a row is of one.
        condition: digest of all but the compressor: results of one condition are paired.
        compressor: digest of how the set is made.
        labels: digest of how it is labelled.
        fixed: whether it is one set whatever the seeds: the whole training set, or a finished one.
        random: revision of plain ``random``; None for every other compressor.
        semantics: versions of what the core does.
        overrides: values of the protocol that were replaced.
        metrics: what its evaluator declares; the first is its main one.
        results: what was measured; empty for a run that is not ok.
        cost: seconds, bytes and images seen; None for a run that is not ok.
        classes: of the set; 0 where a run is not ok.
        teachers: top-1 on the test images, of the teachers that gave labels, or else of those that made the set.
        external: data beyond the training set that was used.
        predictions: where they lie.
        code: digest of each method's code, by ``distribution: kind name``; empty of earlier records.
    """

    key: str
    attempt: int
    status: Status
    reason: str
    created: str
    names: Names
    place: Place
    machine: Machine
    tune: bool
    seeds: Seeds
    method: str
    condition: str
    compressor: str
    labels: str
    fixed: bool
    random: int | None
    semantics: dict[str, int]
    overrides: dict[str, Any]
    metrics: tuple[Metric, ...]
    results: dict[str, float]
    cost: Cost | None
    classes: int
    teachers: tuple[float, ...]
    external: tuple[str, ...]
    predictions: KeptPredictions | None
    code: dict[str, str]

    def pooled(self) -> Entry:
        """The same, to be compared whatever computed it."""
        return replace(self, place=replace(self.place, machine=None))

    @property
    def full(self) -> bool:
        """Whether it is the whole training set."""
        return self.place.ipc is None

    @property
    def keep(self) -> float | None:
        """The share of the training set, to three digits; None where the size is no share, or does not tell."""
        told = _KEEP.search(self.names.ipc)
        return float(told["share"]) if told and self.place.images is not None else None

    @classmethod
    def of(cls, record: Record) -> Entry:
        """What boards need of this record."""
        definition, told = record.definition, record.told
        content = definition.model_dump(mode="json")
        environment = record.environment
        machine = Machine(environment.get("device", ""), environment.get("threads"), environment.get("ranks", 1))
        return cls(
            key=record.key,
            attempt=record.attempt,
            status=record.status,
            reason=_shorten(record.reason),
            created=record.created,
            names=record.names,
            place=_place(record, content, machine),
            machine=machine,
            tune=record.tune,
            seeds=definition.seeds,
            method=definition.method,
            condition=definition.condition,
            compressor=digest([content["compressor"], content.get("compressor_teachers")]),
            labels=digest([content["labeler"], content.get("labeler_teachers")]),
            fixed=definition.ipc is None or definition.compressor.kind == "set",
            random=_revision_of_random(definition),
            semantics=definition.semantics,
            overrides=told.overrides,
            metrics=record.metrics,
            results=record.results,
            cost=record.cost if record.status == "ok" else None,
            classes=len(record.histogram) if record.status == "ok" else 0,
            teachers=tuple(_top1_of_teachers(told)),
            external=told.external_data,
            predictions=record.predictions,
            code={f"{one.distribution}: {one.method}": one.digest for one in record.code},
        )


def _place(record: Record, content: dict[str, Any], machine: Machine) -> Place:
    return Place(
        protocol=record.protocol_digest,
        dataset=record.dataset_fingerprint,
        track=record.track,
        modified=record.modified,
        evaluator=canonical_json(content["evaluator"]),
        student=canonical_json(content["student"]),
        semantics=canonical_json(content["semantics"]),
        ipc=record.definition.ipc,
        images=record.definition.images,
        machine=machine,
    )


def _shorten(reason: str) -> str:
    return reason if len(reason) <= _MOST_REASON else f"{reason[:_MOST_REASON]}..."


def _revision_of_random(definition: Definition) -> int | None:
    compressor = definition.compressor
    return getattr(compressor, "revision", None) if compressor.is_random and definition.ipc is not None else None


def _top1_of_teachers(notes: Notes) -> list[float]:
    teachers = list(notes.teachers.values())
    teachers = [teacher for teacher in teachers if "labels" in teacher.purposes] or teachers
    return [teacher.top1 for teacher in teachers if teacher.top1 is not None]
