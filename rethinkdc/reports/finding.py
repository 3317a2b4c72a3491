"""Explanations that records allow: methods of which all eight corners were run, whoever asked for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from statistics import fmean

from rethinkdc.boards import Board
from rethinkdc.boards.entry import Entry, semantics_across_labels
from rethinkdc.boards.index import read_entries
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS, Corner
from rethinkdc.evidence.explaining import BESIDE
from rethinkdc.evidence.explanation import FULL, Explanation, explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.runs.records import Records
from rethinkdc.storage import canonical_json

_SWITCHED = ("track", "training.fixed_views")
"""The values of a protocol by which corners differ."""
_HARD, _NOISE = "hard", "noise"


def find_explanations(records: Records, boards: Iterable[Board]) -> tuple[Explanation, ...]:
    """One for each method and labeler of boards with a seed at all eight corners, by name.

    Args:
        records: where their runs are.
        boards: with the methods' own runs, where every switch is on.
    """
    wanted = {(board.protocol_digest, board.dataset_fingerprint, board.ipc) for board in boards}
    groups: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in _first_ok(read_entries(records)):
        metric = entry.metrics[0]
        is_accuracy = (metric.unit, metric.better) == ("fraction", "higher")
        if is_accuracy and not entry.tune and entry.place.ipc is not None and entry.place.images is None:
            groups[_setting(entry)].append(entry)
    found = [
        explanation
        for group in groups.values()
        if any((entry.place.protocol, entry.place.dataset, entry.place.ipc) in wanted for entry in group)
        for explanation in _explain(group, records)
    ]
    return tuple(sorted(found, key=_order))


def _explain(group: Sequence[Entry], records: Records) -> list[Explanation]:
    """Of runs that differ in method, labels, seeds and corners alone."""
    cells: dict[tuple[str, str, Corner], list[Entry]] = defaultdict(list)
    for entry in group:
        for corner in _corners_of(entry):
            cells[entry.names.compressor, entry.names.labeler, corner].append(entry)
    methods = [(name, labeler) for name, labeler, corner in cells if corner == FULL and name not in (_NOISE, *BESIDE)]
    explained = []
    for name, labeler in dict.fromkeys(methods):
        corners = {
            corner: _outcome(
                cells[
                    name if corner.images == "own" else _NOISE,
                    labeler if corner.labels == "soft" else _HARD,
                    corner,
                ]
            )
            for corner in CORNERS
        }
        if not set.intersection(*(set(outcome.values) for outcome in corners.values())):
            continue
        whole = cells[name, labeler, FULL]
        classes = _count_classes(whole[0], records)
        beside = {other: _outcome(cells[other, labeler, FULL]) for other in BESIDE if cells[other, labeler, FULL]}
        if classes:
            explained.append(
                explain_corners(
                    corners,
                    beside,
                    method=name,
                    conditions=_conditions(whole[0]),
                    labeler=labeler,
                    classes=classes,
                    counted="students" if whole[0].fixed else "sets",
                )
            )
    return explained


def _corners_of(entry: Entry) -> list[Corner]:
    """The corners that a run stands at: with hard labels only where the protocol was opened for them."""
    labels = "hard" if entry.names.labeler == _HARD else "soft"
    if (entry.overrides.get("track") == "any") != (labels == "hard"):
        return []
    images = "noise" if entry.names.compressor == _NOISE else "own"
    views = "fixed" if entry.overrides.get("training.fixed_views") else "new"
    return [corner for corner in CORNERS if (corner.images, corner.labels, corner.views) == (images, labels, views)]


def _outcome(entries: Sequence[Entry]) -> Outcome:
    """Means over the runs of a seed, which differ in other seeds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for entry in entries:
        if entry.metrics[0].name in entry.results:
            seed = entry.seeds.student if entry.fixed else entry.seeds.set
            by_seed[seed].append(entry.results[entry.metrics[0].name])
    values = {seed: fmean(found) for seed, found in sorted(by_seed.items())}
    machines = {entry.machine.name for entry in entries}
    return Outcome(values, {}, tuple(sorted(entry.key for entry in entries)), tuple(sorted(machines)))


def _first_ok(entries: Iterable[Entry]) -> list[Entry]:
    firsts: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.key, entry.attempt)):
        if entry.status == "ok":
            firsts.setdefault(entry.key, entry)
    return list(firsts.values())


def _setting(entry: Entry) -> Hashable:
    """All that corners share. A protocol that a switch changed has another digest, and keeps its name."""
    place, rest = entry.place, {key: value for key, value in entry.overrides.items() if key not in _SWITCHED}
    conditions = (entry.names.protocol, canonical_json(rest), place.dataset, place.evaluator, place.student)
    return (*conditions, semantics_across_labels(entry.semantics), place.ipc, place.machine, entry.metrics[0])


def _count_classes(entry: Entry, records: Records) -> int:
    record = records.find(entry.key)
    return len(record.evaluation.per_class) if record and record.evaluation else 0


def _conditions(entry: Entry) -> Conditions:
    names, place = entry.names, entry.place
    assert place.ipc is not None
    return Conditions(names.dataset, names.protocol, place.protocol, place.ipc, entry.metrics[0])


def _order(explanation: Explanation) -> tuple[str, str, int, str, str]:
    conditions = explanation.conditions
    return conditions.dataset, conditions.protocol, conditions.ipc, explanation.method, explanation.labeler
