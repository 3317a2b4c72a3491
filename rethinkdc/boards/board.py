"""Boards: tables of methods under equal conditions, from record files alone.

No plugin is imported and no method built, so boards can be shown where the methods are not installed. Records of
different conditions never meet: protocol digest, dataset fingerprint, label track, evaluator, student, ipc or number
of images, the core's semantics and the mark *modified* each part boards. Records of a tuning split enter none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Literal

from rethinkdc.boards.beside import Lacking, Machine, Unmeasured
from rethinkdc.boards.choosing import choose_records, explain_nothing
from rethinkdc.boards.row import Row, make_row
from rethinkdc.errors import RequestError, nearest
from rethinkdc.measurement import Metric
from rethinkdc.runs.definition import MethodDefinition
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.storage import canonical_json

MARK = " #"
"""Before the beginning of a digest, where several definitions share one printed form."""
_MARK = 6
"""Hex digits of a definition's digest that tell methods of one printed form apart."""


@dataclass(frozen=True)
class Board:
    """Rows that may be compared, and the conditions that they share.

    Attributes:
        protocol: id and version.
        protocol_digest: what the protocol says.
        dataset: its name.
        dataset_fingerprint: its content.
        track: of the labels.
        evaluator: printed form.
        student: printed form.
        ipc: None = only full sets.
        images: images in all, of shares and lists that are no ``ipc`` of each class; else None.
        modified: whether an override changes the protocol.
        semantics: versions of what the core does.
        metric: what ranks.
        better: which end of it is good.
        unit: whether it is a fraction or another number.
        machine: what computed all rows; None where machines are pooled.
        rows: best first; then full sets, then what has no result.
        unmeasured: published values of methods that have no row.
        lacking: accuracies that scores of rows need and no record has.
    """

    protocol: str
    protocol_digest: str
    dataset: str
    dataset_fingerprint: str
    track: str
    evaluator: str
    student: str
    ipc: int | None
    images: int | None
    modified: bool
    semantics: dict[str, int]
    metric: str
    better: Literal["higher", "lower"]
    unit: Literal["fraction", "number"]
    machine: Machine | None
    rows: tuple[Row, ...]
    unmeasured: tuple[Unmeasured, ...]
    lacking: tuple[Lacking, ...]


def leaderboard(
    records: Records,
    *,
    metric: str | None = None,
    ipc: int | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
) -> list[Board]:
    """The boards of all records in a folder; a file that cannot be read is warned of and left out.

    Args:
        records: where they lie.
        metric: what ranks; only boards of evaluators that have it. None = the main one of each evaluator.
        ipc: only boards of this number of images per class.
        protocol: only boards of this protocol: its id, its id and version, or the beginning of its digest.
        dataset: only boards of this dataset: its name, or the beginning of its fingerprint.

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    known = list(records.readable())
    if not known:
        raise RequestError(
            f"There is no record below {records.folder}. Make one with `rethinkdc run --compressor random`, or name "
            "the folder of records with --records."
        )
    chosen = choose_records(known, protocol=protocol, dataset=dataset)
    groups = {place: group for place, group in _group(chosen).items() if ipc in (None, place.ipc)}
    if not groups:
        raise RequestError(explain_nothing(known))
    ranked = [(place, group, _ranking_metric(group, metric)) for place, group in groups.items()]
    if not any(ranks for *_, ranks in ranked):
        declared = {one.name for group in groups.values() for record in group for one in record.metrics}
        raise RequestError(f"No record has the metric {metric!r}. {nearest(str(metric), declared)}")
    boards = [_make_board(place, group, ranks) for place, group, ranks in ranked if ranks]
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
    images: int | None

    @classmethod
    def of(cls, record: Record) -> _Place:
        definition = record.definition
        return cls(
            protocol_digest=record.protocol_digest,
            dataset_fingerprint=record.dataset_fingerprint,
            track=record.track,
            modified=record.modified,
            evaluator=canonical_json(definition.evaluator.model_dump(mode="json")),
            student=canonical_json(definition.student.model_dump(mode="json")),
            semantics=canonical_json(definition.semantics),
            ipc=definition.ipc,
            images=definition.images,
        )


def _group(records: list[Record]) -> dict[_Place, list[Record]]:
    """Records by board. Full sets, which have no ipc, stand on every board of otherwise equal conditions."""
    groups: dict[_Place, list[Record]] = defaultdict(list)
    whole: dict[_Place, list[Record]] = defaultdict(list)
    for record in records:
        (whole if record.definition.ipc is None else groups)[_Place.of(record)].append(record)
    boards = dict(groups)
    for place, full in whole.items():
        beside = [other for other in groups if replace(other, ipc=None, images=None) == place]
        for other in beside or [place]:
            boards[other] = [*boards.get(other, []), *full]
    return boards


def _ranking_metric(records: list[Record], name: str | None) -> Metric | None:
    """The metric of this name, or the main one, as the newest record declares it; None where none has it."""
    for record in sorted(records, key=lambda record: record.created, reverse=True):
        for metric in record.metrics:
            if name in (None, metric.name):
                return metric
    return None


def _make_board(place: _Place, records: list[Record], metric: Metric) -> Board:
    first = records[0]
    methods: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods[record.definition.method].append(record)
    rows = [
        make_row(group, _random_beside(group[0], methods), _spell(key, methods), metric.name)
        for key, group in methods.items()
    ]
    return Board(
        protocol=first.names.protocol,
        protocol_digest=place.protocol_digest,
        dataset=first.names.dataset,
        dataset_fingerprint=place.dataset_fingerprint,
        track=place.track,
        evaluator=first.names.evaluator,
        student=first.names.student,
        ipc=place.ipc,
        images=place.images,
        modified=place.modified,
        semantics=first.definition.semantics,
        metric=metric.name,
        better=metric.better,
        unit=metric.unit,
        machine=None,
        rows=_rank(rows, metric),
        unmeasured=(),
        lacking=(),
    )


def _rank(rows: list[Row], metric: Metric) -> tuple[Row, ...]:
    """By the metric; then the full sets, then what has no result."""
    placed = [row for row in rows if row.result and not row.full]
    placed.sort(key=lambda row: metric.gain(row.result.mean, 0.0) if row.result else 0.0, reverse=True)
    others = sorted((row for row in rows if row not in placed), key=lambda row: (row.result is None, row.compressor))
    return (*(replace(row, rank=rank) for rank, row in enumerate(placed, start=1)), *others)


def _spell(key: str, methods: dict[str, list[Record]]) -> str:
    """The printed form; with the beginning of the definition's digest where several definitions share it."""
    first = methods[key][0]
    alike = [group for group in methods.values() if group[0].names.methods == first.names.methods]
    mark = f"{MARK}{key[:_MARK]}" if len(alike) > 1 else ""
    return first.names.compressor + mark


def _random_beside(record: Record, methods: dict[str, list[Record]]) -> list[Record]:
    """The records of plain ``random`` under the same labels, of its newest revision; none for itself and full sets."""
    definition = record.definition
    if definition.ipc is None or definition.compressor.is_random:
        return []
    alike: list[tuple[int, list[Record]]] = []
    for group in methods.values():
        other = group[0].definition
        labels_alike = (other.labeler, other.labeler_teachers) == (definition.labeler, definition.labeler_teachers)
        if isinstance(other.compressor, MethodDefinition) and other.compressor.is_random and labels_alike:
            alike.append((other.compressor.revision, group))
    return max(alike, key=lambda one: one[0], default=(0, []))[1]


def _order(board: Board) -> tuple[Any, ...]:
    return (
        board.protocol,
        board.dataset,
        board.modified,
        board.track,
        board.evaluator,
        board.student,
        board.ipc or 0,
        board.images or 0,
        board.protocol_digest,
        board.dataset_fingerprint,
    )
