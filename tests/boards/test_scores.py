"""HLR, IOR, LRS and ARS of a board's rows, from the accuracies of other boards, and what is lacking for them."""

from __future__ import annotations

from typing import Any

import pytest

from rethinkdc.boards import Board
from rethinkdc.boards.notes import lacking_notes, notes_on
from rethinkdc.metrics import ars, lrs

SOFT: dict[str, Any] = {"names": {"labeler": "soft", "protocol": "digits-soft v1"}}
PLAIN = {"modified": True, "notes": {"overrides": {"training.views": []}}}


def soft_board(desk: Any) -> Board:
    found: list[Board] = [board for board in desk.boards() if board.track == "online" and not board.modified]
    (board,) = found
    return board


def fill(desk: Any) -> None:
    """The four accuracies of pca: full .9, with hard labels .5, with its own .7, random .6."""
    desk.record("full", 0.9, definition={"ipc": None})
    desk.seeds("pca", [0.45, 0.55])
    desk.seeds("pca", [0.68, 0.72], **SOFT)
    desk.seeds("random", [0.6, 0.6], **SOFT)


def test_scores_are_of_the_board_and_of_its_hard_twin(desk: Any, row: Any) -> None:
    fill(desk)
    found = row(soft_board(desk), "pca").robustness
    assert (found.hlr, found.ior) == (pytest.approx(0.4), pytest.approx(0.1))
    assert found.lrs == pytest.approx(lrs(0.9, 0.5, 0.7, 0.6))
    assert found.ars is None
    # Of a hard board both parts are its own.
    desk.seeds("random", [0.4, 0.4])
    (hard,) = [board for board in desk.boards() if board.track == "hard"]
    found = row(hard, "pca").robustness
    assert (found.hlr, found.ior) == (pytest.approx(0.4), pytest.approx(0.1))
    assert row(hard, "full").robustness is None


def test_what_is_lacking_is_named_with_the_command_that_makes_it(desk: Any) -> None:
    desk.seeds("pca", [0.68, 0.72], **SOFT)
    board = soft_board(desk)
    commands = {one.accuracy: one.command for one in board.lacking if "ARS" not in one.scores}
    run, shared = "rethinkdc run --compressor", "--dataset digits --protocol digits"
    seeds = "--student convnet --ipc 10 --seeds 0,1"
    assert commands == {
        "random + soft": f"{run} random --labeler soft {shared}-soft {seeds}",
        "full + hard": f"{run} full --labeler hard {shared}-hard --student convnet",
        "pca + hard": f"{run} pca --labeler hard {shared}-hard {seeds}",
    }
    plain = [one.command for one in board.lacking if one.scores == ("ARS",)]
    assert len(plain) == 2
    assert all(command.endswith(" --set 'training.views=[]'") for command in plain)
    ((note, command),) = lacking_notes(board, everything=False)
    assert note == "Not on record, for IOR and LRS: random + soft, and 2 more."
    assert command == commands["random + soft"]
    fill(desk)
    assert [one.accuracy for one in soft_board(desk).lacking if "ARS" not in one.scores] == ["random + hard"]


def test_the_augmentation_score_needs_runs_without_augmentation(desk: Any, row: Any) -> None:
    fill(desk)
    changed = {"protocol": "q" * 64}
    for name, top1 in (("pca", 0.65), ("random", 0.4)):
        desk.record(name, top1, definition=changed, **PLAIN, **SOFT)
        # Another override is none of them.
        other = {"modified": True, "notes": {"overrides": {"training.views": [], "training.batch": 1}}}
        desk.record(name, 0.1, definition={"protocol": "r" * 64}, **other, **SOFT)
    (board,) = [board for board in desk.boards() if board.track == "online" and not board.modified]
    assert row(board, "pca").robustness.ars == pytest.approx(ars(0.7, 0.6, 0.65, 0.4))


def test_other_conditions_lend_no_accuracy(desk: Any, row: Any) -> None:
    desk.seeds("pca", [0.68, 0.72], **SOFT)
    desk.record("pca", 0.5, names={"student": "other"})
    desk.record("pca", 0.5, names={"protocol": "elsewhere-hard v1"})
    desk.record("pca", 0.5, definition={"ipc": 50})
    desk.record("pca", 0.5, environment={"device": "cuda", "threads": 1})
    desk.record("pca", 0.5, names={"labeler": "hard:smoothing=0.1"})
    assert row(soft_board(desk), "pca").robustness.hlr is None


def test_what_is_no_accuracy_has_no_scores(desk: Any) -> None:
    fill(desk)
    assert all(row.robustness is None for board in desk.boards(metric="loss") for row in board.rows)


def test_versions_of_a_protocol_lend_each_other_nothing(desk: Any, row: Any) -> None:
    fill(desk)
    # A newer version of the hard twin, of which the whole training set has no result.
    desk.seeds("pca", [0.1, 0.1], names={"protocol": "digits-hard v2"})
    # Another version without augmentation.
    newer = {"labeler": "soft", "protocol": "digits-soft v2"}
    for name in ("pca", "random"):
        desk.record(name, 0.1, names=newer, **PLAIN)
    found = row(soft_board(desk), "pca").robustness
    assert found.hlr == pytest.approx(0.4)
    assert found.ars is None


def test_scores_are_over_the_seeds_that_random_has_too(desk: Any, row: Any) -> None:
    fill(desk)
    desk.record("pca", 0.1, 2, **SOFT)
    found = row(soft_board(desk), "pca")
    assert found.difference.mean == pytest.approx(0.1)
    assert found.robustness.ior == pytest.approx(0.1)
    assert found.robustness.lrs == pytest.approx(lrs(0.9, 0.5, 0.7, 0.6))
    assert any("A method and random count over common seeds" in note for note in notes_on(soft_board(desk)))


def test_the_command_of_what_is_lacking_has_the_boards_own_conditions(desk: Any) -> None:
    size = {"ipc": "43.1 (431 images, keep 0.3)", "evaluator": "own:x=1"}
    desk.record(
        "el2n",
        0.7,
        names={**SOFT["names"], **size},
        definition={"ipc": 43, "images": 431},
        environment={"device": "cuda", "threads": 4},
    )
    words = " --evaluator own:x=1 --keep 0.3 --device cuda --threads 4"
    commands = {one.accuracy: one.command for one in soft_board(desk).lacking if "ARS" not in one.scores}
    assert commands["random + soft"].endswith(f" --student convnet{words}")
    assert commands["full + hard"].endswith(f" --student convnet{words.replace(' --keep 0.3', '')}")


def test_the_command_of_what_is_lacking_makes_just_the_runs_that_are_paired(desk: Any) -> None:
    finished = {"compressor": {"kind": "set", "name": "mine", "fingerprint": "f", "ipc": 10}}
    desk.record("pca", 0.7, 3)
    (board,) = desk.boards()
    assert board.lacking[0].command.endswith(" --ipc 10 --seeds 3")
    for student in range(2):
        desk.record("mine", 0.7, 0, student, definition=finished, names={"student": "other"})
    (board,) = [board for board in desk.boards() if board.student == "other"]
    assert board.lacking[0].command.endswith(" --ipc 10 --seeds student=0,1")
