"""Differences to the same sets under other labels."""

from __future__ import annotations

from typing import Any

import pytest

from rethinkdc.boards.notes import notes_on
from rethinkdc.cli.board_tables import print_boards
from rethinkdc.errors import RequestError
from rethinkdc.statistics import compare_pairs

FOCAL = {"names": {"labeler": "hard-focal"}}


@pytest.fixture
def labelled(desk: Any) -> Any:
    """Two compressors under hard labels and under others, and one of two soft labelers."""
    desk.seeds("random", [0.50, 0.52, 0.51])
    desk.seeds("random", [0.53, 0.56, 0.52], **FOCAL)
    desk.seeds("pca", [0.60, 0.62, 0.61])
    desk.seeds("pca", [0.61, 0.61], **FOCAL)
    desk.seeds("random", [0.7, 0.7], names={"labeler": "soft", "protocol": "digits-soft v1"})
    return desk


def test_pairs_differ_in_their_labels_alone(labelled: Any) -> None:
    (board,) = labelled.boards(against="hard")
    found = {(row.compressor, row.labeler): row.difference for row in board.rows}
    assert found["random", "hard"] is found["pca", "hard"] is None
    for name, apart in (("random", [0.03, 0.04, 0.01]), ("pca", [0.01, -0.01])):
        difference, expected = found[name, "hard-focal"], compare_pairs(apart)
        assert difference.n == len(apart)
        assert (difference.mean, difference.half_width) == pytest.approx((expected.mean, expected.half_width))


def test_scores_are_beside_random_whatever_differences_are_to(labelled: Any) -> None:
    def scores(**asked: Any) -> Any:
        boards = [board for board in labelled.boards(**asked) if board.track == "hard"]
        return {(row.compressor, row.labeler): row.robustness for board in boards for row in board.rows}

    assert scores(against="hard") == scores()


def test_other_code_of_a_labeler_is_never_mixed_with_its_newest(labelled: Any) -> None:
    again = {"definition": {"labeler": {"kind": "labeler", "name": "hard", "revision": 2, "parameters": {}}}}
    labelled.record("random", 0.1, created="2026-01-01T00:00:00+00:00", **again)
    (board,) = labelled.boards(against="hard")
    differences = [row.difference for row in board.rows if row.labeler == "hard-focal" and row.difference]
    assert [(one.n, one.mean) for one in differences] == [(1, pytest.approx(0.43))]


def test_tables_and_notes_name_what_differences_are_to(labelled: Any, capsys: pytest.CaptureFixture[str]) -> None:
    boards = labelled.boards(against="hard")
    print_boards(boards, "md")
    printed = capsys.readouterr().out
    assert "| minus hard |" in printed
    assert "minus random" not in printed
    assert "difference to the same sets under hard labels" in printed
    assert "--against" not in printed


def test_a_board_that_holds_a_set_under_two_labelers_names_the_command(labelled: Any) -> None:
    told = "Differences are to random under the same labels; to the same sets under other ones: "
    soft, hard = sorted(labelled.boards(), key=lambda board: board.track == "hard")
    assert f"{told}rethinkdc leaderboard --against hard" in notes_on(hard)
    assert not any(note.startswith(told) for note in notes_on(soft))


def test_labels_that_are_not_on_record_are_refused_with_those_that_are(labelled: Any) -> None:
    with pytest.raises(RequestError, match=r"No record is labelled by 'harrd'\. Did you mean 'hard'"):
        labelled.boards(against="harrd")
