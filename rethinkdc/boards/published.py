"""Published values beside what is measured: each on the board and in the row that it is nearest to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rethinkdc.boards.beside import Published, Unmeasured
from rethinkdc.boards.board import MARK, Board
from rethinkdc.boards.row import Row
from rethinkdc.studies.reported import Reported

_DOUBTED = "the source leaves doubt about the value"
_NO_LABELER = "the source tells the track alone, and several labelers here are of it"
_SLACK = 1 + 1e-9
"""For the rounding of floats."""


def place_published(boards: Sequence[Board], values: Iterable[Reported]) -> tuple[list[Board], list[Reported]]:
    """Boards with published values in their rows, or in lines of their own where no row is of their method.

    A board takes a value of its dataset, protocol, student, size and metric; a row one of its compressor and labels,
    as both are printed. Nothing is placed on a board of a changed protocol.

    Args:
        boards: as measured.
        values: published, methods and students spelled as boards print them.

    Returns:
        The boards, and the values that belong on none of them.
    """
    by_board: dict[int, list[Reported]] = defaultdict(list)
    homeless = []
    for value in values:
        homes = [number for number, board in enumerate(boards) if _belongs(value, board)]
        for number in homes:
            by_board[number].append(value)
        if not homes:
            homeless.append(value)
    return [_place(board, by_board[number]) for number, board in enumerate(boards)], homeless


def _belongs(value: Reported, board: Board) -> bool:
    full = value.ipc is None and value.keep is None
    return (
        not board.modified
        and value.metric == board.metric
        and value.dataset == board.dataset
        and value.protocol == board.protocol.rpartition(" v")[0]
        and value.student in (None, board.student)
        and (full or _is_size(value, board))
        and (value.track in (None, board.track))
        and (value.labeler is None or value.labeler in {row.labeler for row in board.rows})
    )


def _is_size(value: Reported, board: Board) -> bool:
    if value.keep is None:
        return value.ipc == board.ipc and board.images is None
    if board.images is None or board.keep is None:
        return False
    # A board knows its share to three digits and to whole images.
    told = 0.5 * 10.0 ** (math.floor(math.log10(board.keep)) - 2) + 0.5 * board.keep / board.images
    return abs(value.keep - board.keep) <= told * _SLACK


def _place(board: Board, values: Sequence[Reported]) -> Board:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in board.rows:
        by_name[row.compressor.partition(MARK)[0]].append(row)
    published: dict[int, list[Published]] = defaultdict(list)
    unmeasured = []
    for value in values:
        name = value.compressor or value.set or ""
        rows = [row for row in by_name[name] if _is_of(value, row)]
        differing = [_NO_LABELER] if len({row.labeler for row in rows}) > 1 and not value.labeler else []
        for row in rows:
            published[id(row)].append(_publish(value, *differing))
        if not rows:
            unmeasured.append(Unmeasured(name, value.labeler or value.track or "", _publish(value)))
    placed = (replace(row, published=tuple(published[id(row)])) for row in board.rows)
    return replace(board, rows=tuple(placed), unmeasured=tuple(unmeasured))


def _is_of(value: Reported, row: Row) -> bool:
    whole = value.ipc is None and value.keep is None
    return whole == row.full and value.labeler in (None, row.labeler)


def _publish(value: Reported, *differing: str) -> Published:
    doubt = "" if value.reliable else _DOUBTED
    conditions = "; ".join(text for text in (value.conditions, *differing, doubt) if text)
    return Published(value.value, value.sd, value.n, value.source, conditions)
