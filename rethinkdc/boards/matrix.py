"""Methods by students: boards that are equal but for their student, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rethinkdc.boards.board import Board, order_of
from rethinkdc.boards.row import Row


@dataclass(frozen=True)
class StudentMatrix:
    """Boards that are equal but for their student.

    Attributes:
        boards: one a student, in the order of their names.
        methods: compressor and labeler of each line, best on the first student's board first.
        cells: of each line, its row on each board; None where there is none.
    """

    boards: tuple[Board, ...]
    methods: tuple[tuple[str, str], ...]
    cells: tuple[tuple[Row | None, ...], ...]


def student_matrices(boards: Sequence[Board]) -> list[StudentMatrix]:
    """One matrix for each set of boards that differ in their student alone, in the order of the boards."""
    alike: dict[str, list[Board]] = defaultdict(list)
    for board in boards:
        alike[repr(order_of(replace(board, student="")))].append(board)
    return [_make(group) for group in alike.values()]


def _make(boards: Sequence[Board]) -> StudentMatrix:
    rows = [{(row.compressor, row.labeler): row for row in board.rows} for board in boards]
    methods = tuple(dict.fromkeys(method for by_method in rows for method in by_method))
    cells = tuple(tuple(by_method.get(method) for by_method in rows) for method in methods)
    return StudentMatrix(tuple(boards), methods, cells)
