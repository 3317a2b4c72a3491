"""Boards: what may stand in one table, and numbers that were worked by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.boards import Board, Row, rank_folder
from rethinkdc.boards.notes import notes_on
from rethinkdc.errors import RequestError
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.seeds import AXES
from rethinkdc.storage import digest

T_2 = 4.302653
"""The 97.5 % point of Student's t with two degrees of freedom, from a printed table."""


METRICS = (
    Metric("top1", "higher", "fraction"),
    Metric("top5", "higher", "fraction"),
    Metric("loss", "lower", "number"),
)


def compressor(name: str, **parameters: Any) -> dict[str, Any]:
    return {"kind": "compressor", "name": name, "revision": 1, "parameters": parameters}


def record(name: str = "random", top1: float = 0.5, *, seed: int = 0, **changes: Any) -> Record:
    """An ok record; ``definition`` and ``names`` in the changes replace single keys."""
    definition = {
        "dataset": "d" * 64,
        "compressor": compressor(name),
        "labeler": {"kind": "labeler", "name": "hard", "revision": 1, "parameters": {}},
        "evaluator": {"kind": "evaluator", "name": "standard", "revision": 1, "parameters": {}},
        "protocol": "p" * 64,
        "student": {"kind": "model", "name": "convnet", "revision": 1, "parameters": {}},
        "ipc": 10,
        "seeds": dict.fromkeys(AXES, seed),
        "tune": False,
        "semantics": {"views": 1, "loop": 1, "trace": 1, "set": 1},
        **changes.pop("definition", {}),
    }
    names = {
        "compressor": name,
        "labeler": "hard",
        "evaluator": "standard",
        "dataset": "digits",
        "protocol": "digits-hard v1",
        "student": "convnet",
        "ipc": "10",
        **changes.pop("names", {}),
    }
    evaluation = Evaluation(
        metrics={"top1": top1, "top5": 1.0, "loss": 1 - top1},
        per_class=[],
        curve=[],
        views=1,
        steps=1,
        seconds=1.0,
        peak_memory=0,
        result_digest="r",
    )
    given: dict[str, Any] = {
        "key": digest(definition)[:24],
        "status": "ok",
        "created": "2025-01-01T00:00:00+00:00",
        "names": names,
        "definition": definition,
        "protocol_digest": definition["protocol"],
        "dataset_fingerprint": definition["dataset"],
        "modified": False,
        "tune": definition["tune"],
        "track": "hard",
        "metrics": METRICS,
        "evaluation": evaluation,
        "cost": Cost(),
        **changes,
    }
    if given["status"] != "ok":
        given |= {"evaluation": None, "cost": None}
    return Record(**given)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "records")


def add(records: Records, *found: Record) -> None:
    for one in found:
        records.add(one)


def only(records: Records, **chosen: Any) -> Board:
    (board,) = rank_folder(records, **chosen).boards
    return board


def row(board: Board, name: str) -> Row:
    (found,) = [row for row in board.rows if row.compressor == name]
    return found


def students(name: str, seed: int, student: int, top1: float, **changes: Any) -> Record:
    seeds = {**dict.fromkeys(AXES, seed), "student": student}
    definition = {"seeds": seeds, **changes.pop("definition", {})}
    return record(name, top1, definition=definition, **changes)


# -- numbers -------------------------------------------------------------------------------------------------------


def three_seeds(records: Records) -> None:
    for seed, (random, ours) in enumerate([(0.50, 0.60), (0.52, 0.58), (0.54, 0.68)]):
        add(records, record("random", random, seed=seed), record("pca", ours, seed=seed))


def test_mean_deviation_and_paired_interval_are_those_worked_by_hand(records: Records) -> None:
    three_seeds(records)
    found = row(only(records), "pca")
    assert found.result is not None
    assert found.result.mean == pytest.approx(0.62)
    # Squares of -.02, -.04, .06 add to .0056, halved.
    assert found.result.deviation == pytest.approx(math.sqrt(0.0028))
    assert found.result.n == 3
    # The pairs differ by .10, .06, .14.
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(0.10)
    assert found.difference.deviation == pytest.approx(0.04)
    assert found.difference.half_width == pytest.approx(T_2 * 0.04 / math.sqrt(3), rel=1e-6)
    assert found.difference.n == 3


def test_only_seeds_that_both_have_are_paired(records: Records) -> None:
    add(records, *(record("random", 0.5, seed=seed) for seed in (0, 2)))
    add(records, *(record("pca", value, seed=seed) for seed, value in enumerate([0.6, 0.9, 0.8])))
    found = row(only(records), "pca")
    assert found.result is not None
    assert found.difference is not None
    assert (found.result.n, found.difference.n) == (3, 2)
    assert found.difference.mean == pytest.approx(0.2)


def test_random_is_not_compared_with_itself(records: Records) -> None:
    three_seeds(records)
    assert row(only(records), "random").difference is None


@pytest.mark.parametrize(
    "definition",
    [
        {"compressor": {**compressor("random"), "distribution": "acme"}},
        {"compressor": compressor("random", parameter=1)},
        {"compressor": {"kind": "set", "name": "random", "fingerprint": "f", "ipc": 10}},
        {"labeler": {"kind": "labeler", "name": "soft", "revision": 1, "parameters": {}}},
    ],
)
def test_only_the_frameworks_random_under_the_same_labels_is_the_baseline(
    records: Records, definition: dict[str, Any]
) -> None:
    add(records, record("random", 0.5, definition=definition), record("pca", 0.6))
    assert row(only(records), "pca").difference is None


def test_the_newest_revision_of_random_is_the_baseline(records: Records) -> None:
    old = {"compressor": {**compressor("random"), "revision": 1}}
    new = {"compressor": {**compressor("random"), "revision": 2}}
    add(records, record("random", 0.1, definition=old), record("random", 0.5, definition=new), record("pca", 0.6))
    found = row(only(records), "pca").difference
    assert found is not None
    assert found.mean == pytest.approx(0.1)


def test_students_are_averaged_inside_a_set(records: Records) -> None:
    for seed, values in enumerate([(0.4, 0.6), (0.7, 0.9)]):
        add(records, *(students("pca", seed, student, value) for student, value in enumerate(values)))
        add(records, *(students("random", seed, student, 0.4) for student in (0, 1)))
    found = row(only(records), "pca")
    assert found.result is not None
    assert found.difference is not None
    assert (found.result.n, found.runs, found.n_counts) == (2, 4, "sets")
    assert found.values == {0: pytest.approx(0.5), 1: pytest.approx(0.8)}
    assert found.result.deviation == pytest.approx(0.3 / math.sqrt(2))
    assert found.difference.mean == pytest.approx(0.25)
    assert found.difference.n == 2
    told = "Runs that share the seed of their set count once, as their mean: pca (4 runs), random (4 runs)."
    assert told in notes_on(only(records))


def test_students_of_a_whole_or_a_finished_set_are_what_n_counts(records: Records) -> None:
    finished = {"compressor": {"kind": "set", "name": "mine", "fingerprint": "f", "ipc": 10}}
    add(records, *(students("mine", 0, student, 0.5, definition=finished) for student in (0, 1)))
    add(records, *(students("full", 0, student, 0.9, definition={"ipc": None}) for student in (0, 1, 2)))
    board = only(records)
    for name, n in (("mine", 2), ("full", 3)):
        found = row(board, name)
        assert found.result is not None
        assert (found.result.n, found.n_counts) == (n, "students")


def test_seconds_and_bytes_are_means_and_memory_is_the_largest(records: Records) -> None:
    for seed, (seconds, size, memory) in enumerate([(1.0, 100, 5), (3.0, 200, 9)]):
        images = {"stored": size, "lossy": size, "recipe": None if seed else size}
        cost = Cost(
            seconds={"proxy": seconds, "training": 2 * seconds} | ({"experts": 8.0} if seed else {}),
            memory={"selection": memory, "synthesis": 2 * memory},
            image_bytes=images,
            label_bytes=size,
        )
        add(records, record("pca", seed=seed, cost=cost))
    found = row(only(records), "pca")
    # In the order of a run; what an author named counts as nothing where a run did not have it.
    assert list(found.seconds.items()) == [("proxy", 2.0), ("experts", 4.0), ("training", 4.0)]
    assert (found.label_bytes, found.memory) == (150, {"selection": 9, "synthesis": 18})
    assert found.image_bytes == {"stored": 150, "lossy": 150, "recipe": None}


def test_a_receiver_stores_images_labels_and_a_teacher_that_is_asked(records: Records) -> None:
    cost = Cost(image_bytes={"stored": 900, "lossy": 200, "recipe": None}, label_bytes=600, teacher_bytes=50)
    notes = {
        "external_data": ["somebody's photographs"],
        "teachers": {"set": {"top1": 0.9, "for": ["set"]}, "labels": {"top1": 0.7, "for": ["labels", "set"]}},
    }
    pca = record("pca", cost=cost, notes=notes).model_copy(update={"histogram": [1, 1, 1, 1]})
    add(records, pca, record("random"))
    board = only(records)
    found = row(board, "pca")
    assert (found.receiver_bytes, found.class_bytes, found.label_ratio) == (850, 212.5, 3.0)
    assert found.teacher_top1 == 0.7
    assert found.external == ("somebody's photographs",)
    assert (row(board, "random").receiver_bytes, row(board, "random").teacher_top1) == (None, None)
    assert "pca has used external data: somebody's photographs." in notes_on(board)


def test_runs_that_asked_other_teachers_are_other_rows(records: Records) -> None:
    one, two = ({"compressor_teachers": {"protocol": name}} for name in ("a", "b"))
    add(records, record("rded", 0.5, definition=one), record("rded", 0.6, definition=two), record("random", 0.4))
    board = only(records)
    names = [found.compressor for found in board.rows]
    assert len(set(names)) == 3
    assert [name.startswith("rded #") for name in names] == [True, True, False]
    assert board.rows[0].difference is not None


@pytest.mark.parametrize(("metric", "order"), [("top1", ["b", "a", "c"]), ("loss", ["b", "a", "c"])])
def test_rows_are_ranked_in_the_metrics_own_direction(records: Records, metric: str, order: list[str]) -> None:
    for name, top1 in (("a", 0.5), ("b", 0.7), ("c", 0.3)):
        add(records, *(record(name, top1, seed=seed) for seed in range(5)))
    board = only(records, metric=metric)
    assert [(row.rank, row.compressor) for row in board.rows] == list(enumerate(order, start=1))


def measured(name: str, metrics: tuple[Metric, ...], **values: float) -> Record:
    """A record of an evaluator of somebody's."""
    one = record(name, definition={"evaluator": {"kind": "evaluator", "name": "own", "revision": 1, "parameters": {}}})
    assert one.evaluation is not None
    return one.model_copy(
        update={"metrics": metrics, "evaluation": one.evaluation.model_copy(update={"metrics": values})}
    )


def test_each_evaluators_main_metric_ranks_where_none_is_named(records: Records) -> None:
    ece = (Metric("ece", "lower", "fraction"), Metric("size", "higher", "number"))
    add(records, *(measured(name, ece, ece=value, size=value) for name, value in (("a", 0.3), ("b", 0.1), ("c", 0.2))))
    add(records, record("a", 0.5), record("b", 0.7))
    own, standard = rank_folder(records).boards
    assert (own.metric, own.better, own.unit) == ("ece", "lower", "fraction")
    assert [row.compressor for row in own.rows] == ["b", "c", "a"]
    assert (standard.metric, standard.better) == ("top1", "higher")
    # Only the boards that have it.
    named = only(records, metric="size")
    assert [row.compressor for row in named.rows] == ["a", "c", "b"]
    with pytest.raises(RequestError, match=r"metric 'top2'.*'top1'.*ece"):
        rank_folder(records, metric="top2")


# -- what never meets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"definition": {"protocol": "q" * 64}},
        {"definition": {"dataset": "e" * 64}},
        {"track": "online"},
        {"modified": True},
        {"definition": {"ipc": 50}},
        {"definition": {"student": {"kind": "model", "name": "resnet", "revision": 1, "parameters": {}}}},
        {"definition": {"evaluator": {"kind": "evaluator", "name": "own", "revision": 1, "parameters": {}}}},
        {"definition": {"semantics": {"views": 2, "loop": 1, "trace": 1, "set": 1}}},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_other_conditions_are_another_board(records: Records, changes: dict[str, Any]) -> None:
    add(records, record("random", 0.5), record("pca", 0.6, **changes))
    boards = rank_folder(records).boards
    assert sorted(row.compressor for board in boards for row in board.rows) == ["pca", "random"]
    assert len(boards) == 2
    assert all(row.difference is None for board in boards for row in board.rows)


def test_a_modified_protocol_is_marked_and_stands_behind_the_original(records: Records) -> None:
    add(records, record("random", modified=True, definition={"protocol": "a" * 64}), record("random"))
    assert [board.modified for board in rank_folder(records).boards] == [False, True]


def test_labels_of_one_track_share_a_board(records: Records) -> None:
    other = {"labeler": {"kind": "labeler", "name": "smooth", "revision": 1, "parameters": {}}}
    add(records, record("random", 0.5), record("random", 0.6, definition=other, names={"labeler": "smooth"}))
    assert [(row.compressor, row.labeler) for row in only(records).rows] == [("random", "smooth"), ("random", "hard")]


def test_a_tuning_split_enters_no_board(records: Records) -> None:
    add(records, record("random", 0.5), record("pca", 0.9, definition={"tune": True}))
    assert [row.compressor for row in only(records).rows] == ["random"]


def test_methods_of_one_label_and_different_definitions_are_told_apart(records: Records) -> None:
    changed = {"compressor": {**compressor("pca"), "revision": 2}}
    add(records, record("pca", 0.5), record("pca", 0.6, definition=changed))
    names = [row.compressor for row in only(records).rows]
    assert len(set(names)) == 2
    assert all(name.startswith("pca #") for name in names)
    assert any(note.startswith("# parts what has one name") for note in notes_on(only(records)))


def test_names_that_are_apart_need_no_word_on_marks(records: Records) -> None:
    add(records, record("pca", 0.5), record("random", 0.6))
    assert not any(note.startswith("#") for note in notes_on(only(records)))


def test_the_full_set_stands_unranked_on_every_board_of_its_conditions(records: Records) -> None:
    add(records, record("random", 0.5), record("random", 0.6, definition={"ipc": 50}))
    add(records, record("full", 0.9, definition={"ipc": None}), record("full", 0.8, modified=True))
    boards = rank_folder(records).boards
    names = {(board.ipc, board.modified): [row.compressor for row in board.rows] for board in boards}
    assert names == {(10, False): ["random", "full"], (50, False): ["random", "full"], (10, True): ["full"]}
    assert all(row.rank is None for board in boards for row in board.rows)
    assert all(row.difference is None for board in boards for row in board.rows)


# -- attempts and failures -----------------------------------------------------------------------------------------


def test_the_first_ok_attempt_counts_and_the_others_are_told_of(records: Records) -> None:
    add(records, record("pca", status="failed", reason="NaN"), record("pca", 0.5), record("pca", 0.9))
    found = row(only(records), "pca")
    assert found.result is not None
    assert (found.result.mean, found.result.n, found.runs, found.attempts) == (0.5, 1, 1, 3)
    (key,) = found.keys
    counted = records.find(key)
    assert counted is not None
    assert counted.results["top1"] == 0.5
    assert found.missing == ()


def test_a_method_without_a_result_stays_with_its_reason(records: Records) -> None:
    add(records, record("random"), record("pca", status="unsupported", reason="too few images"))
    board = only(records)
    assert [row.compressor for row in board.rows] == ["random", "pca"]
    found = row(board, "pca")
    assert (found.result, found.difference) == (None, None)
    assert [(run.status, run.reason) for run in found.missing] == [("unsupported", "too few images")]


def test_a_failed_seed_makes_n_smaller_and_is_named(records: Records) -> None:
    add(records, record("pca", 0.5, seed=0), record("pca", 0.6, seed=1))
    add(records, record("pca", seed=2, status="failed", reason="first"))
    add(records, record("pca", seed=2, status="failed", reason="second"))
    found = row(only(records), "pca")
    assert found.result is not None
    assert (found.result.n, found.attempts) == (2, 4)
    assert [(run.seeds.set, run.reason) for run in found.missing] == [(2, "second")]


# -- choosing ------------------------------------------------------------------------------------------------------


def test_an_unreadable_file_is_warned_of_and_left_out(records: Records) -> None:
    add(records, record("random"), record("pca"))
    path = records.path(record("pca").key, 1)
    path.write_text("{")
    with pytest.warns(UserWarning, match=path.name):
        (board,) = rdc.leaderboard(records.folder)
    assert [row.compressor for row in board.rows] == ["random"]


@pytest.mark.parametrize(
    "chosen",
    [
        {"ipc": 50},
        {"protocol": "cifar"},
        {"protocol": "cifar v2"},
        {"protocol": "q" * 8},
        {"dataset": "cifar10"},
        {"dataset": "e" * 8},
    ],
)
def test_boards_are_chosen_by_name_or_digest(records: Records, chosen: dict[str, Any]) -> None:
    other = {"ipc": 50, "protocol": "q" * 64, "dataset": "e" * 64}
    names = {"protocol": "cifar v2", "dataset": "cifar10", "ipc": "50"}
    add(records, record("random"), record("pca", definition=other, names=names))
    assert [row.compressor for row in only(records, **chosen).rows] == ["pca"]


def test_nothing_to_show_says_what_there_is(records: Records) -> None:
    with pytest.raises(RequestError, match=r"no record below .*rethinkdc run"):
        rank_folder(records)
    add(records, record("random", definition={"tune": True}))
    with pytest.raises(RequestError, match="tuning split"):
        rank_folder(records)
    add(records, record("random"))
    with pytest.raises(RequestError, match=r"On record: digits-hard v1 on digits, ipc 10"):
        rank_folder(records, ipc=11)
    with pytest.raises(RequestError, match=r"metric 'top2'.*'top1'"):
        rank_folder(records, metric="top2")


def test_boards_need_no_plugin(records: Records) -> None:
    """Also where the methods on record are not installed."""
    add(records, record("random"), record("method-of-somebody"))
    script = (
        "import sys; from pathlib import Path\n"
        "from rethinkdc import boards; from rethinkdc.runs.records import Records\n"
        "assert len(boards.rank_folder(Records(Path(sys.argv[1]))).boards[0].rows) == 2\n"
        "sys.exit(any(name.startswith(('rethinkdc.plugins', 'rethinkdc.registry')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(records.folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
