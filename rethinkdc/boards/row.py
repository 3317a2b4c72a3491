"""Rows: one method's runs under equal conditions, summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rethinkdc.boards.beside import ImageError, Machine, Published, Robustness
from rethinkdc.boards.entry import Entry
from rethinkdc.boards.results import (
    Baseline,
    counted_axis,
    first_ok,
    groups_by_seed,
    means_by_seed,
    pair_results,
)
from rethinkdc.runs.cost import order_stages
from rethinkdc.runs.record import Status
from rethinkdc.seeds import Axis, Seeds
from rethinkdc.statistics import Components, Difference, Spread, compare_pairs, describe, mean_of, part_variance


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
        band_pairs: seeds that it shares with the best of its band; below two there is no test.
        full: the whole training set, a line to look up to.
        compressor: printed form.
        labeler: printed form.
        n_counts: what n counts. Runs that differ in other seeds only are averaged first.
        result: the metric over the n; None when no run is ok.
        difference: to ``random`` with equal labels and seeds, or to the same sets under the labels that the board is
            against; its family all methods of the board; None for what is compared with, and without a pair.
        others: means of the other metrics that all of its runs have, over the n.
        components: the spread over sets and over students apart; None where no set has two students.
        image_error: of the difference, from kept predictions; None where it was not asked for.
        robustness: HLR and its like; None where the metric is no accuracy.
        published: values of papers for this method.
        machines: what computed the runs; several only where a board pools them.
        pairs_across: pairs of which different machines computed the two runs.
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
        class_bytes: the same for each class, the rate at which sets of several datasets can be compared.
        label_ratio: bytes of labels over bytes of images in the fixed lossy codec.
        images_seen: by the networks of each stage, forward, a mean over the runs; empty where a run does not tell.
        total_images_seen: of all stages, the measure of total compute; None where a run does not tell.
        missing: runs without a result.
        code: digests of the code by which the runs were carried out, by method; several where it changed in between.
        code_here: the digest of each of these methods as it is installed; without those that are not.
        checked: those of these methods of which the code that ran was checked here and kept all rules: whole or quick.
    """

    rank: int | None
    band: int | None
    band_pairs: int | None
    full: bool
    compressor: str
    labeler: str
    n_counts: Literal["sets", "students"]
    result: Spread | None
    difference: Difference | None
    others: dict[str, float]
    components: Components | None
    image_error: ImageError | None
    robustness: Robustness | None
    published: tuple[Published, ...]
    machines: tuple[Machine, ...]
    pairs_across: int
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
    class_bytes: float | None
    label_ratio: float | None
    images_seen: dict[str, float]
    total_images_seen: float | None
    missing: tuple[Missing, ...]
    code: dict[str, tuple[str, ...]]
    code_here: dict[str, str]
    checked: dict[str, str]


def make_row(entries: Sequence[Entry], baseline: Baseline, compressor: str, metric: str) -> Row:
    """Sums up the records of one method on one board, without what the other methods say of it.

    Args:
        entries: all attempts at all of its runs.
        baseline: what its difference is to; an empty one for no difference.
        compressor: its printed form.
        metric: what ranks.
    """
    first, runs = entries[0], first_ok(entries)
    axis = counted_axis(first)
    groups = groups_by_seed(runs, metric, axis)
    values = means_by_seed(groups)
    pairs = baseline.pairs(runs)
    differences = pair_results(pairs, metric, axis)
    costs = [run.cost for run in runs if run.cost]
    seen = _mean_by_stage([cost.images_seen for cost in costs])
    return Row(
        rank=None,
        band=None,
        band_pairs=None,
        full=first.full,
        compressor=compressor,
        labeler=first.names.labeler,
        n_counts="students" if first.fixed else "sets",
        result=describe(list(values.values())) if values else None,
        difference=compare_pairs(list(differences.values())) if differences else None,
        others=_others(runs, metric, axis),
        components=part_variance(list(groups.values())) if groups and not first.fixed else None,
        image_error=None,
        robustness=None,
        published=(),
        machines=tuple(sorted({run.machine for run in runs}, key=lambda machine: machine.order)),
        pairs_across=sum(run.machine != other.machine for run, other in pairs),
        values=values,
        runs=len(runs),
        keys=tuple(sorted(run.key for run in runs)),
        attempts=len(entries),
        seconds=_mean_by_stage([cost.seconds for cost in costs]),
        memory=_largest_by_stage([cost.memory for cost in costs]),
        teacher_top1=_mean_of_all([top1 for run in runs for top1 in run.teachers]),
        external=tuple(sorted({name for run in runs for name in run.external})),
        label_bytes=_mean_of_all([cost.label_bytes for cost in costs]) or 0.0,
        teacher_bytes=_mean_of_all([cost.teacher_bytes for cost in costs]) or 0.0,
        image_bytes={
            form: _mean_of_all([cost.image_bytes.get(form) for cost in costs]) for form in ("stored", "lossy", "recipe")
        },
        receiver_bytes=_mean_of_all([cost.receiver_bytes for cost in costs]),
        class_bytes=_mean_of_all([_class_bytes(run) for run in runs]),
        label_ratio=_mean_of_all([cost.label_ratio for cost in costs]),
        images_seen=seen if all(cost.images_seen for cost in costs) else {},
        total_images_seen=_mean_of_all([cost.total_images_seen for cost in costs]),
        missing=_missing(entries, {run.key for run in runs}),
        code=_codes(runs),
        code_here={},
        checked={},
    )


def _others(runs: Sequence[Entry], metric: str, axis: Axis) -> dict[str, float]:
    names = [name for name in (runs[0].results if runs else ()) if name != metric]
    return {
        name: mean_of(means_by_seed(groups_by_seed(runs, name, axis)).values())
        for name in names
        if all(name in run.results for run in runs)
    }


def _codes(runs: Sequence[Entry]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for run in runs:
        for method, code in run.code.items():
            found.setdefault(method, set()).add(code)
    return {method: tuple(sorted(codes)) for method, codes in sorted(found.items())}


def _class_bytes(run: Entry) -> float | None:
    whole = run.cost.receiver_bytes if run.cost else None
    return None if whole is None or not run.classes else whole / run.classes


def _missing(entries: Sequence[Entry], ok: set[str]) -> tuple[Missing, ...]:
    last = {entry.key: entry for entry in sorted(entries, key=lambda entry: entry.attempt)}
    missing = [Missing(entry.seeds, entry.status, entry.reason) for key, entry in last.items() if key not in ok]
    return tuple(sorted(missing, key=lambda run: sorted(run.seeds.model_dump().items())))


def _mean_by_stage(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over runs; a stage that a run did not have took nothing."""
    stages = order_stages(stage for by_stage in values for stage in by_stage)
    return {stage: mean_of([by_stage.get(stage, 0) for by_stage in values]) for stage in stages}


def _largest_by_stage(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    stages = order_stages(stage for by_stage in values for stage in by_stage)
    return {stage: max(by_stage.get(stage, 0) for by_stage in values) for stage in stages}


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    """The mean; None where one is not known, and of nothing."""
    known = [value for value in values if value is not None]
    return mean_of(known) if known and len(known) == len(values) else None
