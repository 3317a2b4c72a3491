"""Rows beside the code that is installed: the same name may mean other code than made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points

from rethinkdc.boards.board import Board
from rethinkdc.boards.row import Row
from rethinkdc.code import read_code
from rethinkdc.context.checked import kept_extent

_GROUP = "rethinkdc"


def mark_code(boards: Sequence[Board]) -> list[Board]:
    """The boards with what is installed of the methods of their rows, and what was checked; no plugin is imported."""
    methods = {method for board in boards for row in board.rows for method in row.code}
    here = _installed(methods) if methods else {}

    def marked(row: Row) -> Row:
        installed = {method: here[method] for method in row.code if method in here}
        return replace(row, code_here=installed, checked=_checked(row))

    return [replace(board, rows=tuple(map(marked, board.rows))) for board in boards] if methods else list(boards)


def _checked(row: Row) -> dict[str, str]:
    """The methods of a row of which all code that ran kept the rules, and how far it was looked at."""
    found: dict[str, str] = {}
    for method, codes in row.code.items():
        kind, _, name = method.partition(": ")[2].partition(" ")
        extents = {kept_extent(kind, name, code) for code in codes}
        if None not in extents:
            found[method] = "whole" if extents == {"whole"} else "quick"
    return found


def _installed(methods: Iterable[str]) -> dict[str, str]:
    """The digest of each method's plugin, as far as an entry point of its distribution has the method's name."""
    found: dict[str, str] = {}
    points = {(point.dist.name if point.dist else "", point.name): point for point in entry_points(group=_GROUP)}
    for method in methods:
        distribution, _, known = method.partition(": ")
        if point := points.get((distribution, known.partition(" ")[2])):
            found[method] = read_code(point).digest
    return found
