"""Parity: what authors report of their methods, beside what records have of them under the authors' own protocols.

Boards compare what is equal. Here two things that should be equal stand side by side, and what is known to differ is
named: records count too whose protocol was changed, or is a twin of the authors' at another size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rethinkdc.boards.beside import Machine
from rethinkdc.boards.board import Board
from rethinkdc.boards.row import Row
from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import parse_reference
from rethinkdc.statistics import Spread
from rethinkdc.studies.reported import Reported

Find = Callable[[str], Protocol | None]
"""A protocol by its id; None where it is not installed."""


@dataclass(frozen=True)
class Ours:
    """What records have of a published value.

    Attributes:
        result: over what n counts.
        n_counts: ``sets`` or ``students``.
        protocol: id and version that the runs were under.
        machines: what computed them.
        deviations: from what the authors did, as far as it is known; none = the same.
        keys: of the runs, by which their records are found.
    """

    result: Spread
    n_counts: str
    protocol: str
    machines: tuple[Machine, ...]
    deviations: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """A published value, and what records have of it: one of each protocol, the nearest first."""

    reported: Reported
    ours: tuple[Ours, ...]


def place_claims(values: Iterable[Reported], boards: Sequence[Board], find: Find) -> list[Claim]:
    """Published values beside the rows of boards that are of their method, size, metric and kind of labels.

    Of each protocol the row with the fewest deviations counts, and of equal ones that of the most sets. Values are
    sorted by dataset, protocol, student, method and size.

    Args:
        values: published, methods and students spelled as boards print them.
        boards: of all records, those of changed protocols too.
        find: gives protocols, to see which are twins of others.
    """
    claims = [Claim(value, tuple(_ours(value, boards, find))) for value in values]
    return sorted(claims, key=_order)


def _order(claim: Claim) -> tuple[str, str, str, str, int, float]:
    said = claim.reported
    return (
        said.dataset,
        said.protocol,
        said.student or "",
        said.compressor or said.set or "",
        said.ipc or 0,
        said.keep or 0.0,
    )


def _ours(value: Reported, boards: Sequence[Board], find: Find) -> list[Ours]:
    found: dict[str, list[Ours]] = {}
    for board in boards:
        name = _id(board.protocol)
        twin = name != value.protocol
        protocol = find(name)
        if twin and (protocol is None or protocol.twin != value.protocol):
            continue
        if (board.ipc, board.metric) != (value.ipc, value.metric) or board.images is not None:
            continue
        if not _is_of_student(value, board, twin=twin, find=find):
            continue
        for row in board.rows:
            if row.result is not None and _is_of(value, row) and _fits_labels(value, board, row):
                deviations = _deviations(value, board, row, twin=twin)
                machines = row.machines or ((board.machine,) if board.machine else ())
                ours = Ours(row.result, row.n_counts, board.protocol, machines, deviations, row.keys)
                found.setdefault(name, []).append(ours)
    nearest = [min(each, key=lambda one: (len(one.deviations), -one.result.n)) for each in found.values()]
    return sorted(nearest, key=lambda one: (_id(one.protocol) != value.protocol, one.protocol))


def _id(protocol: str) -> str:
    return protocol.rpartition(" v")[0]


def _is_of(value: Reported, row: Row) -> bool:
    """Whether a row is of the value's method, whatever its parameters, or of its set."""
    if value.compressor is None:
        return row.compressor == value.set
    return _method(row.compressor) == _method(value.compressor)


def _is_of_student(value: Reported, board: Board, *, twin: bool, find: Find) -> bool:
    """Whether a board's student is the value's, or stands for the protocol's own at another size."""
    protocol = find(value.protocol)
    if value.student is None or protocol is None or value.student == str(protocol.student.model):
        return twin or value.student in (None, board.student) or "student.model" in board.overrides
    return not twin and board.student == value.student


def _fits_labels(value: Reported, board: Board, row: Row) -> bool:
    """Hard labels never stand for soft ones; soft ones may for others, as a deviation."""
    if value.labeler is not None:
        return (board.track == "hard") == (_method(value.labeler) == "hard") and bool(row.labeler)
    return value.track == board.track


def _method(text: str) -> str:
    try:
        return parse_reference(text.partition(" #")[0]).name
    except RequestError:
        return text


def _deviations(value: Reported, board: Board, row: Row, *, twin: bool) -> tuple[str, ...]:
    said = [
        f"twin {board.protocol} on {board.dataset}" if twin else "",
        f"set by {row.compressor}" if value.compressor and row.compressor != value.compressor else "",
        f"labels {row.labeler}" if value.labeler and row.labeler != value.labeler else "",
        board.changed.removeprefix("modified: "),
        f"data {board.dataset}" if not twin and board.dataset != value.dataset else "",
        f"data beyond the training set: {', '.join(row.external)}" if row.external else "",
    ]
    return tuple(text for text in said if text)
