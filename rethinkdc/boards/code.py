"""Rows beside the code that is installed: the same name may mean other code than made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points

from rethinkdc.boards.board import Board
from rethinkdc.boards.row import Row
from rethinkdc.code import read_code

_GROUP = "rethinkdc"


def mark_code(boards: Sequence[Board]) -> list[Board]:
    """The boards with what is installed of the methods of their rows; no plugin is imported for it."""
    here = _installed({method for board in boards for row in board.rows for method in row.code})

    def marked(row: Row) -> Row:
        return replace(row, code_here={method: here[method] for method in row.code if method in here})

    return [replace(board, rows=tuple(map(marked, board.rows))) for board in boards] if here else list(boards)


def _installed(methods: Iterable[str]) -> dict[str, str]:
    """The digest of each method's plugin, as far as an entry point of its distribution has the method's name."""
    wanted = {
        (where, known.partition(" ")[2]): method for method in methods for where, _, known in [method.partition(": ")]
    }
    points = entry_points(group=_GROUP) if wanted else ()
    found = ((wanted.get((point.dist.name if point.dist else "", point.name)), point) for point in points)
    return {method: read_code(point).digest for method, point in found if method}
