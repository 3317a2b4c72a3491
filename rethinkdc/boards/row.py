"""Rows: one method's runs under equal conditions, summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rethinkdc.boards.spread import Difference, Spread, difference, spread
from rethinkdc.runs.records import Record, Status

_Seeds = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Missing:
    """A run without an ok attempt: its last one's end."""

    seeds: dict[str, int]
    status: Status
    reason: str


@dataclass(frozen=True)
class Row:
    """A method on a board: fractions, seconds and bytes are means over its runs, memory is the largest.

    Attributes:
        rank: 1 is best; None for a full set and for a method without a result.
        full: the whole training set, a line to look up to.
        compressor: printed form.
        labeler: printed form.
        n_counts: what n counts. Runs that differ in other seeds only are averaged first.
        result: the metric over the n; None when no run is ok.
        difference: to ``random`` with equal labels and seeds; None for ``random`` itself and without a pair.
        values: seed -> metric, of the n.
        runs: number of runs that are ok.
        attempts: number of records: of every run the first ok one counts, the others are only told of.
        seconds: of each stage.
        teacher_top1: on the test images, of those that gave labels, or else of those that
            made the sets; mean over runs and teachers, None without any.
        external: data beyond the training set that a run has used.
        selection_memory: bytes, the largest of the runs.
        synthesis_memory: bytes, the largest of the runs.
        label_bytes: of a set's labels.
        teacher_bytes: of the teacher that the receiver needs.
        image_bytes: ``stored``, ``lossy`` and ``recipe``; None where a run has no such number.
        receiver_bytes: images in the fixed lossy codec, labels, and the teacher where it is needed.
        label_ratio: bytes of labels over bytes of images in the fixed lossy codec.
        missing: runs without a result.
    """

    rank: int | None
    full: bool
    compressor: str
    labeler: str
    n_counts: Literal["sets", "students"]
    result: Spread | None
    difference: Difference | None
    values: dict[int, float]
    runs: int
    attempts: int
    seconds: dict[str, float]
    teacher_top1: float | None
    external: tuple[str, ...]
    selection_memory: int
    synthesis_memory: int
    label_bytes: float
    teacher_bytes: float
    image_bytes: dict[str, float | None]
    receiver_bytes: float | None
    label_ratio: float | None
    missing: tuple[Missing, ...]


def make_row(records: list[Record], baseline: list[Record], compressor: str, metric: str) -> Row:
    """Sums up the records of one method on one board.

    Args:
        records: all attempts at all of its runs.
        baseline: those of ``random`` under the same labels; empty for no difference.
        compressor: its printed form.
        metric: what ranks.
    """
    definition = records[0].definition
    full = definition["ipc"] is None
    # A full or a finished set is one set whatever the seeds: only its students differ.
    fixed = full or definition["compressor"]["kind"] == "set"
    axis = "student" if fixed else "set"
    ok = _first_ok(records)
    ours, random = _results(ok, metric), _results(_first_ok(baseline), metric)
    values = _per_seed(ours, axis)
    differences = _per_seed({seeds: value - random[seeds] for seeds, value in ours.items() if seeds in random}, axis)
    costs = [record.cost for record in ok if record.cost]
    return Row(
        rank=None,
        full=full,
        compressor=compressor,
        labeler=records[0].labels["labeler"],
        n_counts="students" if fixed else "sets",
        result=spread(list(values.values())) if values else None,
        difference=difference(list(differences.values())) if differences else None,
        values=values,
        runs=len(ok),
        attempts=len(records),
        seconds={
            "proxy": _mean([cost.proxy_seconds for cost in costs]),
            "teacher": _mean([cost.teacher_seconds for cost in costs]),
            "selection": _mean([cost.selection_seconds for cost in costs]),
            "synthesis": _mean([cost.synthesis_seconds for cost in costs]),
            "labels": _mean([cost.label_seconds for cost in costs]),
            "training": _mean([cost.training_seconds for cost in costs]),
        },
        teacher_top1=_teacher_top1(ok),
        external=tuple(sorted({name for record in ok for name in record.notes.get("external_data", ())})),
        selection_memory=max((cost.selection_memory for cost in costs), default=0),
        synthesis_memory=max((cost.synthesis_memory for cost in costs), default=0),
        label_bytes=_mean([cost.label_bytes for cost in costs]),
        teacher_bytes=_mean([cost.teacher_bytes for cost in costs]),
        image_bytes={
            form: _mean_of_all([cost.image_bytes.get(form) for cost in costs]) for form in ("stored", "lossy", "recipe")
        },
        receiver_bytes=_mean_of_all([cost.receiver_bytes for cost in costs]),
        label_ratio=_mean_of_all([cost.label_ratio for cost in costs]),
        missing=_missing(records, {record.key for record in ok}),
    )


def _first_ok(records: list[Record]) -> list[Record]:
    """The first ok attempt of each run."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.attempt):
        if record.status == "ok":
            found.setdefault(record.key, record)
    return list(found.values())


def _missing(records: list[Record], ok: set[str]) -> tuple[Missing, ...]:
    last = {record.key: record for record in sorted(records, key=lambda record: record.attempt)}
    missing = [
        Missing(record.definition["seeds"], record.status, record.reason)
        for key, record in last.items()
        if key not in ok
    ]
    return tuple(sorted(missing, key=lambda run: sorted(run.seeds.items())))


def _results(records: list[Record], metric: str) -> dict[_Seeds, float]:
    return {
        tuple(sorted(record.definition["seeds"].items())): metrics_of(record)[metric]
        for record in records
        if metric in metrics_of(record)
    }


def _per_seed(results: dict[_Seeds, float], axis: str) -> dict[int, float]:
    """Means over the runs that share the seed of an axis."""
    found: dict[int, list[float]] = defaultdict(list)
    for seeds, value in results.items():
        found[dict(seeds)[axis]].append(value)
    return {seed: _mean(values) for seed, values in sorted(found.items())}


def metrics_of(record: Record) -> dict[str, float]:
    """What was measured; empty for a run that is not ok."""
    return record.evaluation.metrics if record.evaluation and record.status == "ok" else {}


def _teacher_top1(records: list[Record]) -> float | None:
    teachers = [teacher for record in records for teacher in record.notes.get("teachers", {}).values()]
    # Those that gave labels; where none did, those that the sets were made with.
    teachers = [teacher for teacher in teachers if "labels" in teacher.get("for", ())] or teachers
    measured = [teacher["top1"] for teacher in teachers if teacher.get("top1") is not None]
    return _mean(measured) if measured else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    """The mean; None where one is not known."""
    known = [value for value in values if value is not None]
    return _mean(known) if known and len(known) == len(values) else None
