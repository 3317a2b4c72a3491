"""Boards: tables of methods under equal conditions, from record files alone.

No plugin is imported and no method built, so boards can be shown where the methods are not installed. Records of
different conditions never meet: protocol digest, dataset fingerprint, label track, evaluator, student, ipc, the core's
semantics and the mark *modified* each part boards. Records of a tuning split enter none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Literal

from rethinkdc.boards.row import Row, make_row, metrics_of
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.records import Record, Records
from rethinkdc.storage import canonical_json, digest

_LOWER = {"loss"}
_LEAST_PREFIX = 6
"""Hex digits from which a digest or a fingerprint may be abbreviated."""


@dataclass(frozen=True)
class Board:
    """Rows that may be compared, and the conditions that they share; ``ipc`` None = only full sets."""

    protocol: str
    protocol_digest: str
    dataset: str
    dataset_fingerprint: str
    track: str
    evaluator: str
    student: str
    ipc: int | None
    modified: bool
    semantics: dict[str, int]
    metric: str
    better: Literal["higher", "lower"]
    rows: tuple[Row, ...]


def leaderboard(
    records: Records,
    *,
    metric: str = "top1",
    ipc: int | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
) -> list[Board]:
    """The boards of all records in a folder; a file that cannot be read is warned of and left out.

    Args:
        records: where they lie.
        metric: what ranks.
        ipc: only boards of this number of images per class.
        protocol: only boards of this protocol: its id, its id and version, or the beginning of its digest.
        dataset: only boards of this dataset: its label, or the beginning of its fingerprint.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    found = list(records.readable())
    if not found:
        raise RequestError(
            f"There is no record below {records.folder}. Make one with `rethinkdc run --compressor random`, or name "
            "the folder of records with --records."
        )
    shown = [
        record
        for record in found
        if not record.tune
        and (not protocol or _is_protocol(record, protocol))
        and (not dataset or _matches(dataset, record.labels["dataset"], record.dataset_fingerprint))
    ]
    groups = {place: group for place, group in _grouped(shown).items() if ipc in (None, place.ipc)}
    if not groups:
        raise RequestError(_nothing(found))
    known = {name for group in groups.values() for record in group for name in metrics_of(record)}
    if known and metric not in known:
        raise RequestError(f"No record has the metric {metric!r}. {nearest(metric, known)}")
    boards = [_board(place, group, metric) for place, group in groups.items()]
    return sorted(boards, key=_order)


@dataclass(frozen=True)
class _Place:
    """All that parts boards."""

    protocol_digest: str
    dataset_fingerprint: str
    track: str
    modified: bool
    evaluator: str
    student: str
    semantics: str
    ipc: int | None

    @classmethod
    def of(cls, record: Record, ipc: int | None) -> _Place:
        definition = record.definition
        return cls(
            protocol_digest=record.protocol_digest,
            dataset_fingerprint=record.dataset_fingerprint,
            track=record.track,
            modified=record.modified,
            evaluator=canonical_json(definition["evaluator"]),
            student=canonical_json(definition["student"]),
            semantics=canonical_json(definition["semantics"]),
            ipc=ipc,
        )


def _grouped(records: list[Record]) -> dict[_Place, list[Record]]:
    """Records by board. Full sets, which have no ipc, stand on every board of otherwise equal conditions."""
    groups: dict[_Place, list[Record]] = defaultdict(list)
    whole: dict[_Place, list[Record]] = defaultdict(list)
    for record in records:
        ipc = record.definition["ipc"]
        (whole if ipc is None else groups)[_Place.of(record, ipc)].append(record)
    boards = dict(groups)
    for place, full in whole.items():
        beside = [other for other in groups if replace(other, ipc=None) == place]
        for other in beside or [place]:
            boards[other] = [*boards.get(other, []), *full]
    return boards


def _board(place: _Place, records: list[Record], metric: str) -> Board:
    first = records[0]
    better: Literal["higher", "lower"] = "lower" if metric in _LOWER else "higher"
    methods: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods[_method(record)].append(record)
    rows = []
    for key, group in methods.items():
        rows.append(make_row(group, _random_beside(group[0], methods), _spelled(key, methods), metric))
    return Board(
        protocol=first.labels["protocol"],
        protocol_digest=place.protocol_digest,
        dataset=first.labels["dataset"],
        dataset_fingerprint=place.dataset_fingerprint,
        track=place.track,
        evaluator=first.labels["evaluator"],
        student=first.labels["student"],
        ipc=place.ipc,
        modified=place.modified,
        semantics=first.definition["semantics"],
        metric=metric,
        better=better,
        rows=_ranked(rows, better),
    )


def _ranked(rows: list[Row], better: str) -> tuple[Row, ...]:
    """By the metric; then the full sets, then what has no result."""
    sign = -1 if better == "higher" else 1
    placed = [row for row in rows if row.result and not row.full]
    placed.sort(key=lambda row: sign * row.result.mean if row.result else 0.0)
    others = sorted((row for row in rows if row not in placed), key=lambda row: (row.result is None, row.compressor))
    return (*(replace(row, rank=rank) for rank, row in enumerate(placed, start=1)), *others)


def _method(record: Record) -> str:
    # What asks a teacher is also defined by the protocol's teachers, which hard protocols leave out of their digest.
    teachers = [record.definition.get(name) for name in ("compressor_teachers", "labeler_teachers")]
    return digest([record.definition["compressor"], record.definition["labeler"], teachers])


def _spelled(key: str, methods: dict[str, list[Record]]) -> str:
    """The printed form; with the beginning of the definition's digest where several definitions share it."""
    first = methods[key][0]
    names = ("compressor", "labeler")
    alike = [group for group in methods.values() if all(group[0].labels[name] == first.labels[name] for name in names)]
    mark = f" #{key[:_LEAST_PREFIX]}" if len(alike) > 1 else ""
    return first.labels["compressor"] + mark


def _random_beside(record: Record, methods: dict[str, list[Record]]) -> list[Record]:
    """The records of plain ``random`` under the same labels, of its newest revision; none for itself and full sets."""
    if record.definition["ipc"] is None or _is_random(record):
        return []
    labels = ("labeler", "labeler_teachers")
    found = [
        group
        for group in methods.values()
        if _is_random(group[0]) and all(group[0].definition.get(name) == record.definition.get(name) for name in labels)
    ]
    return max(found, key=lambda group: group[0].definition["compressor"]["revision"], default=[])


def _is_random(record: Record) -> bool:
    """Whether it is the framework's own ``random``: one of another distribution carries its name."""
    definition = record.definition["compressor"]
    revision = definition.get("revision")
    return bool(definition == {"kind": "compressor", "name": "random", "revision": revision, "parameters": {}})


def _matches(wanted: str, label: str, sha: str) -> bool:
    return wanted == label or (len(wanted) >= _LEAST_PREFIX and sha.startswith(wanted))


def _is_protocol(record: Record, wanted: str) -> bool:
    label = record.labels["protocol"]
    return wanted == label.rpartition(" v")[0] or _matches(wanted, label, record.protocol_digest)


def _nothing(records: list[Record]) -> str:
    """Why no board is left, and what there is."""
    entering = [record for record in records if not record.tune]
    if not entering:
        return "All records are of a tuning split; these enter no board. Run again without --tune."
    there = sorted({f"{r.labels['protocol']} on {r.labels['dataset']}, ipc {r.labels['ipc']}" for r in entering})
    return f"No record is of this protocol, dataset and ipc. On record: {'; '.join(there)}."


def _order(board: Board) -> tuple[Any, ...]:
    return (
        board.protocol,
        board.dataset,
        board.modified,
        board.track,
        board.evaluator,
        board.student,
        board.ipc or 0,
        board.protocol_digest,
        board.dataset_fingerprint,
    )
