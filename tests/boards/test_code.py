"""Rows whose code changed, or is another than the installed one, say so."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards.leaderboard import rank_folder
from rethinkdc.boards.notes import notes_on
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
