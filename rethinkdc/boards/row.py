"""Rows: one method's runs under equal conditions, summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rethinkdc.boards.beside import ImageError, Machine, Published, Robustness
from rethinkdc.runs.cost import Cost, order_stages
from rethinkdc.runs.record import Record, Status
from rethinkdc.seeds import Axis, Seeds
from rethinkdc.statistics import Components, Difference, Spread, compare_pairs, describe


@dataclass(frozen=True)
class Missing:
    """A run without an ok attempt: its last one's end."""

    seeds: Seeds
    status: Status
    reason: str


@dataclass(frozen=True)
class Row:
    """A method on a board: fractions, seconds and bytes are means over its runs, memory is the largest.

    Attributes:
        rank: 1 is best, equal means share it; None for a full set, without a result, and below five seeds.
        band: 1 = the best, and all whose paired difference to it is not clear; None as the rank.
        full: the whole training set, a line to look up to.
        compressor: printed form.
        labeler: printed form.
        n_counts: what n counts. Runs that differ in other seeds only are averaged first.
        result: the metric over the n; None when no run is ok.
        difference: to ``random`` with equal labels and seeds, its family all methods of the board; None for ``random``
            itself and without a pair.
        components: the spread over sets and over students apart; None where no set has two students.
        image_error: of the difference, from kept predictions; None where it was not asked for.
        robustness: HLR and its like; None where the metric is no accuracy.
        published: values of papers for this method.
        machines: what computed the runs; several only where a board pools them.
        values: seed -> metric, of the n.
        runs: number of runs that are ok.
        keys: of these runs, by which their records are found.
        attempts: number of records: of every run the first ok one counts, the others are only told of.
        seconds: of each stage that any of the runs had.
        memory: bytes of each stage, the largest of the runs.
        teacher_top1: on the test images, of those that gave labels, or else of those that
            made the sets; mean over runs and teachers, None without any.
        external: data beyond the training set that a run has used.
        label_bytes: of a set's labels.
        teacher_bytes: of the teacher that the receiver needs.
        image_bytes: ``stored``, ``lossy`` and ``recipe``; None where a run has no such number.
        receiver_bytes: images in the fixed lossy codec, labels, and the teacher where it is needed.
        label_ratio: bytes of labels over bytes of images in the fixed lossy codec.
        images_seen: by the networks of each stage, forward, a mean over the runs; empty where a run does not tell.
        total_images_seen: of all stages, the measure of total compute; None where a run does not tell.
        missing: runs without a result.
    """

    rank: int | None
    band: int | None
    full: bool
    compressor: str
    labeler: str
    n_counts: Literal["sets", "students"]
    result: Spread | None
    difference: Difference | None
    components: Components | None
    image_error: ImageError | None
    robustness: Robustness | None
    published: tuple[Published, ...]
    machines: tuple[Machine, ...]
    values: dict[int, float]
    runs: int
    keys: tuple[str, ...]
    attempts: int
    seconds: dict[str, float]
    memory: dict[str, int]
    teacher_top1: float | None
    external: tuple[str, ...]
    label_bytes: float
    teacher_bytes: float
    image_bytes: dict[str, float | None]
    receiver_bytes: float | None
    label_ratio: float | None
    images_seen: dict[str, float]
    total_images_seen: float | None
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
    full = definition.ipc is None
    # A full or a finished set is one set whatever the seeds: only its students differ.
    fixed = full or definition.compressor.kind == "set"
    axis: Axis = "student" if fixed else "set"
    ok = _first_ok(records)
    values = _per_seed([(_seed(record, axis), value) for record, value in _results(ok, metric)])
    differences = _per_seed(_pairs(ok, _first_ok(baseline), metric, axis))
    costs = [record.cost for record in ok if record.cost]
    return Row(
        rank=None,
        band=None,
        full=full,
        compressor=compressor,
        labeler=records[0].names.labeler,
        n_counts="students" if fixed else "sets",
        result=describe(list(values.values())) if values else None,
        difference=compare_pairs(list(differences.values())) if differences else None,
        components=None,
        image_error=None,
        robustness=None,
        published=(),
        machines=(),
        values=values,
        runs=len(ok),
        keys=tuple(sorted(record.key for record in ok)),
        attempts=len(records),
        seconds=_mean_seconds(costs),
        memory=_largest_memory(costs),
        teacher_top1=_teacher_top1(ok),
        external=tuple(sorted({name for record in ok for name in record.notes.get("external_data", ())})),
        label_bytes=_mean([cost.label_bytes for cost in costs]),
        teacher_bytes=_mean([cost.teacher_bytes for cost in costs]),
        image_bytes={
            form: _mean_of_all([cost.image_bytes.get(form) for cost in costs]) for form in ("stored", "lossy", "recipe")
        },
        receiver_bytes=_mean_of_all([cost.receiver_bytes for cost in costs]),
        label_ratio=_mean_of_all([cost.label_ratio for cost in costs]),
        images_seen={},
        total_images_seen=None,
        missing=_missing(records, {record.key for record in ok}),
    )


def _first_ok(records: list[Record]) -> list[Record]:
    """The first ok attempt of each run."""
    firsts: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.attempt):
        if record.status == "ok":
            firsts.setdefault(record.key, record)
    return list(firsts.values())


def _missing(records: list[Record], ok: set[str]) -> tuple[Missing, ...]:
    last = {record.key: record for record in sorted(records, key=lambda record: record.attempt)}
    missing = [
        Missing(record.definition.seeds, record.status, record.reason) for key, record in last.items() if key not in ok
    ]
    return tuple(sorted(missing, key=lambda run: sorted(run.seeds.model_dump().items())))


def _results(records: list[Record], metric: str) -> list[tuple[Record, float]]:
    return [(record, record.results[metric]) for record in records if metric in record.results]


def _pairs(ours: list[Record], baseline: list[Record], metric: str, axis: Axis) -> list[tuple[int, float]]:
    """Our results minus those of the baseline's runs of the same condition, with the seed of an axis."""
    random = {record.definition.condition: value for record, value in _results(baseline, metric)}
    pairs = []
    for record, value in _results(ours, metric) if random else []:
        condition = record.definition.condition
        if condition in random:
            pairs.append((_seed(record, axis), value - random[condition]))
    return pairs


def _seed(record: Record, axis: Axis) -> int:
    return int(getattr(record.definition.seeds, axis))


def _per_seed(results: list[tuple[int, float]]) -> dict[int, float]:
    """Means over the results that share a seed."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for seed, value in results:
        by_seed[seed].append(value)
    return {seed: _mean(values) for seed, values in sorted(by_seed.items())}


def _mean_seconds(costs: list[Cost]) -> dict[str, float]:
    stages = order_stages(stage for cost in costs for stage in cost.seconds)
    return {stage: _mean([cost.seconds.get(stage, 0.0) for cost in costs]) for stage in stages}


def _largest_memory(costs: list[Cost]) -> dict[str, int]:
    stages = order_stages(stage for cost in costs for stage in cost.memory)
    return {stage: max(cost.memory.get(stage, 0) for cost in costs) for stage in stages}


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
