"""Rows whose code changed, or is another than the installed one, say so."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from rethinkdc.boards.leaderboard import rank_folder
from rethinkdc.boards.notes import notes_on
from rethinkdc.code import read_code
from rethinkdc.notes import MethodCode


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
