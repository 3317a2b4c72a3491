"""Published values beside measured ones: in the row of their method, in a line of their own, or nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from rethinkdc.boards.beside import Published, Unmeasured
from rethinkdc.boards.notes import caption, notes_on
from rethinkdc.boards.published import place_published
from rethinkdc.cli.board_tables import print_boards
from rethinkdc.studies.reported import Reported


def reported(**changes: Any) -> Reported:
    said: dict[str, Any] = {
        "compressor": "pca",
        "set": None,
        "labeler": "hard",
        "track": None,
        "dataset": "digits",
        "protocol": "digits-hard",
        "ipc": 10,
        "keep": None,
        "student": "convnet",
        "metric": "top1",
        "value": 0.65,
        "sd": 0.01,
        "n": 3,
        "source": "A paper, Table 1",
        "conditions": "",
        "reliable": True,
        **changes,
    }
    return Reported(**said)


def test_a_value_stands_in_the_row_of_its_method_with_the_difference(
    desk: Any, row: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.seeds("pca", [0.6, 0.62])
    desk.seeds("random", [0.5, 0.5])
    other = reported(value=0.7, source="Another, Table 2", conditions="best epoch on the test set")
    (board,), homeless = place_published(desk.boards(), [reported(), other])
    assert (homeless, board.unmeasured) == ([], ())
    assert row(board, "pca").published == (
        Published(0.65, 0.01, 3, "A paper, Table 1", ""),
        Published(0.7, 0.01, 3, "Another, Table 2", "best epoch on the test set"),
    )
    assert row(board, "random").published == ()
    print_boards([board], "md", wide=True)
    text = capsys.readouterr().out
    assert r"65.00 \[1\], 70.00\* \[2\]" in text
    assert " -4.00, -9.00 " in text
    assert "[1] A paper, Table 1." in notes_on(board)
    assert "[2] Another, Table 2; * conditions differ: best epoch on the test set." in notes_on(board)


def test_a_value_without_a_row_is_a_line_of_its_own(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.seeds("random", [0.5, 0.5])
    (board,), homeless = place_published(desk.boards(), [reported(compressor="rded", reliable=False)])
    assert homeless == []
    doubt = "the source leaves doubt about the value"
    assert board.unmeasured == (Unmeasured("rded", "hard", Published(0.65, 0.01, 3, "A paper, Table 1", doubt)),)
    for form in ("rich", "md", "latex"):
        print_boards([board], form)
        line = next(line for line in capsys.readouterr().out.splitlines() if "rded + hard" in line)
        assert "65.00" in line


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "cifar10"},
        {"protocol": "digits-soft"},
        {"ipc": 50},
        {"ipc": None, "keep": 0.1},
        {"student": "resnet"},
        {"metric": "top5"},
        {"labeler": None, "track": "online"},
        {"labeler": "soft"},
    ],
    ids=str,
)
def test_a_value_of_other_conditions_stands_on_no_board(desk: Any, changes: dict[str, Any]) -> None:
    desk.seeds("pca", [0.6, 0.62])
    boards = desk.boards()
    placed, homeless = place_published(boards, [reported(**changes)])
    assert (placed, homeless) == (boards, [reported(**changes)])


def test_a_changed_protocol_takes_no_value(desk: Any) -> None:
    desk.seeds("pca", [0.6, 0.62], modified=True)
    assert len(place_published(desk.boards(), [reported()])[1]) == 1


def test_values_of_sets_tracks_and_the_full_set_find_their_rows(desk: Any, row: Any) -> None:
    finished = {"compressor": {"kind": "set", "name": "their/set", "fingerprint": "f", "ipc": 10}}
    desk.record("their/set", 0.6, definition=finished)
    desk.record("full", 0.9, definition={"ipc": None})
    values = [
        reported(compressor=None, set="their/set", labeler=None, track="hard"),
        reported(compressor="full", ipc=None, value=0.95),
    ]
    (board,), homeless = place_published(desk.boards(), values)
    assert homeless == []
    assert [one.value for one in row(board, "their/set").published] == [0.65]
    assert [one.value for one in row(board, "full").published] == [0.95]


def test_a_share_stands_beside_the_share_that_was_measured(desk: Any, row: Any) -> None:
    share = {"definition": {"ipc": 43, "images": 431}, "names": {"ipc": "43.1 (431 images, keep 0.3)"}}
    desk.seeds("pca", [0.6, 0.62], **share)
    boards = desk.boards()
    (board,), homeless = place_published(boards, [reported(ipc=None, keep=0.3)])
    assert homeless == []
    assert [one.value for one in row(board, "pca").published] == [0.65]
    assert "keep 0.3 (431 images)" in caption(board)
    others = [reported(ipc=None, keep=0.31), reported(ipc=43)]
    assert place_published(boards, others) == (boards, others)
    assert others[0].size == "keep 0.31"


def test_a_value_that_tells_the_track_alone_is_marked_beside_several_labelers(desk: Any) -> None:
    for labeler in ("hard", "hard:smoothing=0.1"):
        desk.seeds("pca", [0.6, 0.62], names={"labeler": labeler})
    (board,), _ = place_published(desk.boards(), [reported(labeler=None, track="hard")])
    told = [one.conditions for row in board.rows for one in row.published]
    assert told == ["the source tells the track alone, and several labelers here are of it"] * 2


def test_the_difference_to_every_source_is_shown(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.seeds("pca", [0.6, 0.62])
    values = [reported(), reported(value=0.6, source="Another, Table 2")]
    boards, _ = place_published(desk.boards(), values)
    print_boards(boards, "md", wide=True)
    assert "-4.00, +1.00" in capsys.readouterr().out
    print_boards(boards, "csv")
    head, line = capsys.readouterr().out.splitlines()
    assert dict(zip(head.split(","), line.split(","), strict=False))["reported_values"] == "2"
