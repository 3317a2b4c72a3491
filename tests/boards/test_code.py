"""Rows whose code changed, or is another than the installed one, say so."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards.leaderboard import rank_folder
from rethinkdc.boards.notes import notes_on
from rethinkdc.cli.board_tables import print_boards
from rethinkdc.code import read_code
from rethinkdc.context.checked import Checked, note_checked
from rethinkdc.notes import MethodCode


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked on this machine is not told here."""
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "own-cache"))


def code(digest: str, method: str = "compressor pca", distribution: str = "rethinkdc") -> MethodCode:
    return MethodCode(method=method, distribution=distribution, version="1", digest=digest)


def notes(desk: Any) -> list[str]:
    (board,) = rank_folder(desk.records).boards
    return [note for note in notes_on(board) if "code" in note]


def test_a_row_whose_code_changed_in_between_says_so(desk: Any) -> None:
    for seed, digest in enumerate(("a" * 64, "b" * 64)):
        desk.record("pca", 0.5, seed, code=(code(digest),))
    assert notes(desk) == [
        "pca: its runs were carried out by different code of rethinkdc: compressor pca (aaaaaaaa and bbbbbbbb)."
    ]


def test_a_row_of_other_code_than_the_installed_says_so(desk: Any) -> None:
    (installed,) = (read_code(point).digest for point in entry_points(group="rethinkdc", name="pca"))
    for seed in (0, 1):
        desk.record("pca", 0.5, seed, code=(code("a" * 64),))
        desk.record("random", 0.4, seed)
    assert notes(desk) == [
        f"pca: carried out by code aaaaaaaa of rethinkdc: compressor pca; installed is {installed[:8]}."
    ]


def third_party(digest: str) -> dict[str, Any]:
    """A record's changes: of a method whose code is a part of its definition."""
    defined = {"kind": "compressor", "name": "own", "revision": 1, "parameters": {}, "distribution": "acme"}
    return {
        "definition": {"compressor": {**defined, "code": digest}},
        "code": (code(digest, "compressor own", "acme"), code("c" * 64, "score el2n", "acme")),
    }


def test_rows_and_notes_tell_edited_code_by_the_same_digits(desk: Any) -> None:
    for digest in ("a" * 64, "b" * 64):
        desk.record("own", 0.5, **third_party(digest))
    (board,) = rank_folder(desk.records).boards
    assert sorted(row.compressor for row in board.rows) == ["own #aaaaaaaa", "own #bbbbbbbb"]
    installed = {"acme: compressor own": "d" * 64}
    rows = tuple(replace(row, code_here=installed) for row in board.rows)
    told = "carried out by code {0} of acme: compressor own; installed is dddddddd."
    said = notes_on(replace(board, rows=rows))
    assert all(f"own #{mark}: {told.format(mark)}" in said for mark in ("aaaaaaaa", "bbbbbbbb"))


def test_definitions_that_differ_otherwise_than_in_code_are_told_apart_all_the_same(desk: Any) -> None:
    for revision in (1, 2):
        made = third_party("a" * 64)
        made["definition"]["compressor"]["revision"] = revision
        desk.record("own", 0.5, **made)
    (board,) = rank_folder(desk.records).boards
    marks = [row.compressor.partition(" #")[2] for row in board.rows]
    assert [len(mark) for mark in marks] == [6, 6]
    assert len({*marks}) == 2


@pytest.mark.parametrize("form", ["rich", "md", "latex"])
def test_a_failed_try_is_a_note_beside_what_has_a_result(
    desk: Any, form: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.record("own", 0.5, status="failed", reason="ValueError: oops", **third_party("a" * 64))
    print_boards(desk.boards(), form)
    alone = capsys.readouterr().out
    assert alone.count("own") == 2, "where nothing has a result a board has rows all the same"
    desk.record("own", 0.5, **third_party("b" * 64))
    (board,) = desk.boards()
    assert [row.compressor for row in board.shown] == ["own #bbbbbbbb"]
    assert len(board.rows) == 2, "data holds all of them"
    print_boards([board], form)
    both = capsys.readouterr().out.replace("\\#", "#")
    assert both.count("own #bbbbbbbb") == 1
    assert "own #aaaaaaaa, seed 0: failed: ValueError: oops" in both
    assert both.count("own #aaaaaaaa") == 1


def test_the_same_code_and_methods_that_are_not_installed_are_not_spoken_of(desk: Any) -> None:
    (installed,) = (read_code(point).digest for point in entry_points(group="rethinkdc", name="pca"))
    desk.record("pca", 0.5, code=(code(installed), code(installed, "labeler pca")))
    desk.record("gone", 0.5, code=(code("c" * 64, "compressor gone", "gone-for-ever"),))
    assert notes(desk) == []


def test_code_that_kept_all_rules_is_told_as_long_as_it_is_what_ran(desk: Any) -> None:
    for seed, digest in enumerate(("a" * 64, "b" * 64)):
        desk.record("pca", 0.5, seed, code=(code(digest), code("c" * 64, "score el2n", "acme")))
    note_checked("compressor", "pca", "a" * 64, Checked(method="pca", extent="whole"))
    note_checked("score", "el2n", "c" * 64, Checked(method="el2n", extent="quick"))
    told = "Kept the rules of check-plugin, by the code that ran: "
    # A run by code that nobody checked takes the mark from the row.
    assert f"{told}score el2n (its quick part)." in notes(desk)
    note_checked("compressor", "pca", "b" * 64, Checked(method="pca", extent="whole"))
    assert f"{told}compressor pca, score el2n (its quick part)." in notes(desk)
    note_checked("compressor", "pca", "b" * 64, Checked(method="pca", extent="whole", broken=("budget",)))
    assert f"{told}score el2n (its quick part)." in notes(desk)


def test_rows_of_what_is_not_installed_any_more_stand_as_all_others(desk: Any) -> None:
    desk.record("gone", 0.5, code=(code("c" * 64, "compressor gone", "gone-for-ever"),), plugins={"gone-for-ever": "3"})
    desk.record("random", 0.4)
    (board,) = rank_folder(desk.records).boards
    assert [row.compressor for row in board.rows] == ["gone", "random"]
