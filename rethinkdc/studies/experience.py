"""What runs on record took, by stage: the ground of estimates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Literal

from rethinkdc.runs.cost import LAST_STAGES
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.storage import digest

Basis = Literal["same method", "same protocol"]
"""What an estimate is of: runs of the same method and labels under the same protocol, or the same stage under it."""

MOST_RECORDS = 2000
_OF_PROTOCOL = ("proxy", "teacher")


@dataclass(frozen=True)
class Alike:
    """What a stage took in runs that are alike.

    Attributes:
        seconds: the median.
        basis: how alike they are.
        keys: of the runs.
    """

    seconds: float
    basis: Basis
    keys: tuple[str, ...]


class Experience:
    """Past runs, found by what the time of a stage depends on."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._seconds: dict[Hashable, dict[str, float]] = defaultdict(dict)
        self._stages: dict[Hashable, set[str]] = defaultdict(set)
        self._records: dict[Hashable, list[Record]] = defaultdict(list)
        self.count = 0
        for record in records:
            if record.cost is not None and record.status == "ok":
                self._add(record)

    def stages(self, definition: Definition) -> tuple[str, ...] | None:
        """The stages that a run will have: those of its method's past runs; None where nobody ran it."""
        own = self._stages.get(_whole(definition))
        if own is None and (made := self._stages.get(_made(definition))) is not None:
            labelled = self._stages.get(_labelled(definition), set(LAST_STAGES))
            own = made | labelled
        return None if own is None else tuple(sorted(own))

    def labelling(self, definition: Definition) -> tuple[str, ...]:
        """The stages that follow on the set."""
        return tuple(sorted(self._stages.get(_labelled(definition), set(LAST_STAGES))))

    def look_up(self, stage: str, definition: Definition) -> Alike | None:
        """What a stage took in the runs that are most alike; None where none is."""
        bases: tuple[tuple[Basis, Hashable], ...] = (
            ("same method", _whole(definition)),
            ("same protocol", _alike(stage, definition)),
        )
        for basis, about in bases:
            if found := self._seconds.get((stage, about)):
                return Alike(median(found.values()), basis, tuple(sorted(found)))
        return None

    def of_method(self, definition: Definition) -> list[Record]:
        """The past runs of the same method, labels, protocol and size."""
        return self._records.get(_whole(definition), [])

    def _add(self, record: Record) -> None:
        definition = record.definition
        assert record.cost is not None
        self.count += 1
        whole, made, labelled = _whole(definition), _made(definition), _labelled(definition)
        self._records[whole].append(record)
        self._stages[whole] |= set(record.cost.seconds)
        self._stages[made] |= set(record.cost.seconds) - set(LAST_STAGES)
        self._stages[labelled] |= set(record.cost.seconds) & {*LAST_STAGES, "teacher"}
        for stage, seconds in record.cost.seconds.items():
            for about in (whole, _alike(stage, definition)):
                self._seconds[stage, about][record.key] = seconds


def recall(records: Records, *, device: str, threads: int) -> Experience:
    """Reads the newest records of runs on a device of this kind, under as many threads; damaged ones are left out."""
    return Experience(
        record
        for record in records.newest(MOST_RECORDS)
        if (record.environment.get("device"), record.environment.get("threads")) == (device, threads)
    )


def _size(definition: Definition) -> Hashable:
    return definition.ipc, definition.images


def _whole(definition: Definition) -> Hashable:
    student = digest(definition.student.model_dump(mode="json"))
    return "whole", definition.method, definition.dataset, definition.protocol, student, _size(definition)


def _made(definition: Definition) -> Hashable:
    return "made", digest(definition.compressor.model_dump(mode="json"))


def _labelled(definition: Definition) -> Hashable:
    return "labelled", digest(definition.labeler.model_dump(mode="json")), definition.protocol


def _alike(stage: str, definition: Definition) -> Hashable:
    """What the time of a stage depends on first."""
    if stage in _OF_PROTOCOL:
        return definition.dataset, definition.protocol
    if stage == "labels":
        return _labelled(definition), _size(definition)
    if stage == "training":
        student = digest(definition.student.model_dump(mode="json"))
        return definition.dataset, definition.protocol, student, _size(definition)
    return _made(definition), definition.dataset, definition.protocol
