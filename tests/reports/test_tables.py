"""Boards as tables of the page: which columns, what their cells say, and what they are sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rethinkdc.boards import Board
from rethinkdc.boards.beside import Published, Unmeasured
from rethinkdc.reports.material import Material
from rethinkdc.reports.tables import Cell, Table, make_table
from rethinkdc.reports.texts import write_metric
from rethinkdc.runs.record import Record

Make = Callable[..., Record]
Collect = Callable[..., Material]


def cells(table: Table, head: str) -> list[Cell]:
    place = [column.head for column in table.columns].index(head)
    return [row[place] for _, row in table.rows]


@pytest.fixture
def board(make: Make, material: Collect) -> Board:
    return material(*(make(name, seed=seed) for name in ("random", "pca") for seed in range(5))).boards[0]


def test_numbers_are_those_of_the_board_and_sort_unrounded(board: Board) -> None:
    table = make_table(board)
    means = [row.result.mean for row in board.rows if row.result]
    assert [cell.value for cell in cells(table, "top-1 %")] == means
    assert [cell.text for cell in cells(table, "top-1 %")] == [f"{100 * mean:.2f}" for mean in means]
    assert [cell.text for cell in cells(table, "rank")] == ["1", "2"]
    assert [cell.text for cell in cells(table, "band")] == [str(row.band) for row in board.rows]
    (pca, random) = cells(table, "Holm p")
    assert pca.value == board.rows[0].difference.holm_p if board.rows[0].difference else False
    assert random == Cell("\u2013", None)


def test_each_metric_beside_the_one_that_ranks_has_a_column(board: Board) -> None:
    table = make_table(board)
    for one in board.others:
        unit = " %" if one.unit == "fraction" else ""
        head = f"{write_metric(one.name)}{unit}"
        assert [cell.value for cell in cells(table, head)] == [row.others[one.name] for row in board.rows]


def test_a_column_that_says_nothing_is_left_out(board: Board) -> None:
    heads = [column.head for column in make_table(board).columns]
    assert heads[:3] == ["rank", "band", "method"]
    assert not {"teacher %", "reported", "± images", "LRS"} & set(heads)


def test_reported_values_bear_the_number_of_their_source_and_what_differs(board: Board) -> None:
    told = Published(0.7, None, None, "A <paper>, table 1", "another student")
    rows = (replace(board.rows[0], published=(told,)), *board.rows[1:])
    far = Unmeasured("far", "hard", replace(told, value=0.9, conditions=""))
    table = make_table(replace(board, rows=rows, unmeasured=(far,)))
    assert [cell.text for cell in cells(table, "reported")] == ["70.00* [1]", "\u2013", "90.00 [2]"]
    assert cells(table, "method")[-1].text == "far + hard"
    assert cells(table, "top-1 %")[-1] == Cell("\u2013", None)
    assert any("[1] A <paper>, table 1; * conditions differ: another student" in note for note in table.notes)


def test_the_difference_to_each_source_is_shown(board: Board) -> None:
    first = board.rows[0]
    assert first.result is not None
    low, high = (
        Published(first.result.mean + apart, None, None, source, "") for apart, source in ((-0.02, "A"), (0.05, "B"))
    )
    table = make_table(replace(board, rows=(replace(first, published=(low, high)), *board.rows[1:])))
    (shown, nothing) = cells(table, "minus reported")
    assert shown.text == "+2.00, -5.00"
    assert nothing == Cell("\u2013", None)


def test_a_filter_finds_the_labeler_too_and_no_mark_turns_a_line_round(make: Make, material: Collect) -> None:
    (board,) = material(make("a\u202eb", labeler="soft", track="online")).boards
    ((search, _),) = make_table(board).rows
    assert search == "a⟨202e⟩b soft"
