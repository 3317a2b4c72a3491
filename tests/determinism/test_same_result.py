"""The same result to the last bit, however it was computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PCA = ("run", "-d", "digits", "--compressor", "pca", "--ipc", "1")


@pytest.fixture(scope="module")
def digits_digest(runs: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a run on the digits, uninterrupted."""
    digest: str = runs.digest(tmp_path_factory.mktemp("whole"), *PCA)
    return digest


@pytest.fixture(scope="module")
def short_record(
    runs: Any, small_digits: Path, short_protocol: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Of the short run on the Parquet folder, uninterrupted."""
    record: dict[str, Any] = runs.record(tmp_path_factory.mktemp("whole"), *_short(small_digits, short_protocol))
    return record


@pytest.fixture(scope="module")
def short_digest(short_record: dict[str, Any]) -> str:
    digest: str = short_record["result_digest"]
    return digest


def _short(data: Path, protocol: Path) -> tuple[str, ...]:
    return (*PCA, "--dataset", str(data), "--protocol", str(protocol))


def test_two_workers_give_the_result_of_none(runs: Any, digits_digest: str, tmp_path: Path) -> None:
    assert runs.digest(tmp_path, *PCA, "--workers", "2") == digits_digest


def test_another_seed_gives_another_result(runs: Any, digits_digest: str, tmp_path: Path) -> None:
    """Without this, equal digests would prove nothing."""
    assert runs.digest(tmp_path, *PCA, "--seed", "1") != digits_digest


@pytest.mark.parametrize(
    ("backing", "workers"),
    [
        ("decoded", "0"),
        ("encoded", "2"),
        pytest.param("decoded", "2", marks=pytest.mark.slow),
        pytest.param("encoded", "0", marks=pytest.mark.slow),
    ],
)
def test_either_backing_gives_the_same_result(
    runs: Any, short_digest: str, small_digits: Path, short_protocol: Path, backing: str, workers: str, tmp_path: Path
) -> None:
    given = (*_short(small_digits, short_protocol), "--backing", backing, "--workers", workers)
    assert runs.digest(tmp_path, *given) == short_digest


def test_a_cache_filled_by_another_run_gives_the_same_result(
    runs: Any, short_digest: str, small_digits: Path, short_protocol: Path, tmp_path: Path
) -> None:
    """The proxy, the scores and the decoded pixels are those of an earlier run with another set."""
    runs.digest(tmp_path, *_short(small_digits, short_protocol), "--ipc", "2")
    assert runs.digest(tmp_path, *_short(small_digits, short_protocol)) == short_digest


# The first renames keep the decoded pixels of both splits, the first replacement the book of fingerprints.
KILLS = {
    "while the decoded pixels are kept": ("rethinkdc.storage.folders", "os.rename", 2, "before"),
    "in the middle of the proxy's second epoch": ("rethinkdc.training.loop", "_Training._train", 12, "after"),
    "before the proxy's second checkpoint": ("rethinkdc.training.loop", "save_checkpoint", 2, "before"),
    "while the proxy's checkpoint is put in place": ("rethinkdc.storage.writing", "os.replace", 2, "before"),
    "before the proxy is kept": ("rethinkdc.context.cache", "commit_folder", 1, "before"),
    "between the proxy and the scores": ("rethinkdc.context.cache", "commit_folder", 1, "after"),
    "while the scores are kept": ("rethinkdc.storage.folders", "os.rename", 4, "before"),
    "between the scores and the selection": ("rethinkdc.context.cache", "commit_folder", 2, "after"),
    "between the selection and the canvases": ("rethinkdc.context.cache", "commit_folder", 3, "after"),
    "between a part and its seal": ("rethinkdc.storage.parts", "_seal", 1, "before"),
    "between the parts and the set": ("rethinkdc.context.cache", "commit_folder", 4, "before"),
    "at the student's first step": ("rethinkdc.training.loop", "_Training._train", 25, "before"),
    "in the middle of the student": ("rethinkdc.training.loop", "_Training._train", 45, "after"),
    "after the student's last checkpoint": ("rethinkdc.evaluation.student_evaluator", "per_class_top1", 1, "before"),
    "before the record is written": ("rethinkdc.runs.records", "write_new", 1, "before"),
    "while the record is written": ("rethinkdc.runs.records", "os.link", 1, "before"),
}


SPARED = {
    "before the proxy's second checkpoint",
    "while the proxy's checkpoint is put in place",
    "before the proxy is kept",
    "while the scores are kept",
    "between the proxy and the scores",
    "between the selection and the canvases",
    "at the student's first step",
    "before the record is written",
    "between the parts and the set",
    "between the teacher and the labels",
    "while the labels are kept",
    "in the middle of the student's labelled steps",
}
"""Points close to another one: left out of the default run."""


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=pytest.mark.slow if point in SPARED else ()) for point in KILLS]
)
def test_a_killed_run_goes_on_to_the_same_result(
    runs: Any, short_record: dict[str, Any], small_digits: Path, short_protocol: Path, point: str, tmp_path: Path
) -> None:
    given = _short(small_digits, short_protocol)
    assert_killed_and_resumed(runs, tmp_path, given, KILLS[point], short_record)


# Two shards of labels; the teacher has 3 epochs of 8 batches, the student 40 steps.
LABEL_KILLS = {
    "in the middle of the teacher": ("rethinkdc.training.loop", "_Training._train", 12, "after"),
    "between the teacher and the labels": ("rethinkdc.context.cache", "commit_folder", 1, "after"),
    "between a shard and its seal": ("rethinkdc.storage.parts", "_seal", 2, "before"),
    "when half of the shards have their names": ("rethinkdc.labels.shards", "_give_second_name", 1, "after"),
    "while the labels are kept": ("rethinkdc.labels.storing", "write_labels", 1, "after"),
    "in the middle of the student's labelled steps": ("rethinkdc.training.loop", "_Training._train", 45, "after"),
}


def _stored(data: Path, protocol: Path) -> tuple[str, ...]:
    labels = ("--compressor", "random", "--ipc", "1", "--labeler", "soft-stored")
    return ("run", *labels, "--dataset", str(data), "--protocol", str(protocol))


@pytest.fixture(scope="module")
def soft_record(
    runs: Any, small_digits: Path, soft_protocol: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Of the run with stored labels, uninterrupted."""
    record: dict[str, Any] = runs.record(tmp_path_factory.mktemp("whole"), *_stored(small_digits, soft_protocol))
    return record


@pytest.mark.parametrize(("backing", "workers"), [("encoded", "2")])
def test_stored_labels_are_the_same_from_either_backing_and_on_any_number_of_workers(
    runs: Any,
    soft_record: dict[str, Any],
    small_digits: Path,
    soft_protocol: Path,
    backing: str,
    workers: str,
    tmp_path: Path,
) -> None:
    given = (*_stored(small_digits, soft_protocol), "--backing", backing, "--workers", workers)
    record = runs.record(tmp_path, *given)
    assert record["result_digest"] == soft_record["result_digest"]
    assert record["cost"]["images_seen"] == soft_record["cost"]["images_seen"]


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=pytest.mark.slow if point in SPARED else ()) for point in LABEL_KILLS]
)
def test_a_run_killed_while_it_labels_goes_on_to_the_same_result(
    runs: Any, soft_record: dict[str, Any], small_digits: Path, soft_protocol: Path, point: str, tmp_path: Path
) -> None:
    given = _stored(small_digits, soft_protocol)
    assert_killed_and_resumed(runs, tmp_path, given, LABEL_KILLS[point], soft_record)


def test_the_images_of_a_run_are_those_of_its_protocol(
    short_record: dict[str, Any], soft_record: dict[str, Any]
) -> None:
    """500 rows; three epochs of the proxy, and the teacher; 40 steps of ten images."""
    proxy = 3 * 500 + 2 * 500  # its two clean epochs too
    assert short_record["cost"]["images_seen"] == {"proxy": proxy, "selection": 0, "labels": 0, "training": 400}
    assert short_record["cost"]["total_images_seen"] == proxy + 400
    soft = {"teacher": 3 * 500, "selection": 0, "labels": 400, "training": 400}
    assert soft_record["cost"]["images_seen"] == soft


def test_a_run_killed_after_its_record_is_found(
    runs: Any, short_digest: str, small_digits: Path, short_protocol: Path, tmp_path: Path
) -> None:
    given = _short(small_digits, short_protocol)
    stop = {"module": "rethinkdc.runs.records", "name": "os.link", "call": 1, "when": "after"}
    assert runs.run(tmp_path, *given, stop=stop)["killed"]
    assert runs.digest(tmp_path, *given) == short_digest
    assert_nothing_half_made(tmp_path)


def assert_killed_and_resumed(
    runs: Any, place: Path, given: tuple[str, ...], point: tuple[str, str, int, str], whole: dict[str, Any]
) -> None:
    """A run that is killed at a point leaves no record; started again it ends as a whole one, and counts as it."""
    stop = dict(zip(("module", "name", "call", "when"), point, strict=True))
    assert runs.run(place, *given, stop=stop, every=0.0)["killed"], "the run ended before the planned point"
    assert not list((place / "records").rglob("*.json"))
    again = runs.run(place, *given, every=0.0)
    assert again["code"] == 0, again["err"]
    assert "damaged" not in again["err"]
    (found,) = json.loads(again["out"])
    assert found["result_digest"] == whole["result_digest"]
    assert found["cost"]["images_seen"] == whole["cost"]["images_seen"]
    assert_nothing_half_made(place)


def assert_nothing_half_made(place: Path) -> None:
    """No temporary folder, no working folder and one record."""
    cache = place / "cache"
    assert not list(cache.rglob(".making-*"))
    assert not list((cache / "work").iterdir())
    assert len(list((place / "records").rglob("*.json"))) == 1
