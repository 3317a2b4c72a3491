"""Predictions beside records: kept whole, read back, refused when they are not those of the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.measurement import Predictions
from rethinkdc.runs.prediction_files import recompute
from rethinkdc.runs.predictions import keep_predictions
from rethinkdc.runs.records import Records
from rethinkdc.seeds import generator
from rethinkdc.studies.study import Study

SHORT = {"training.steps": 4}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}


@pytest.fixture
def short(machine: dict[str, Any]) -> dict[str, Any]:
    return {**machine, "dataset": "digits", "ipc": 1, "overrides": SHORT}


def drawn(images: int, classes: int) -> Predictions:
    """Predictions that no compression makes small."""
    noise = generator(0)
    return Predictions(
        predicted=torch.randint(0, classes, (images,), generator=noise),
        probability=torch.rand(images, generator=noise).half(),
        rank=torch.randint(0, classes, (images,), generator=noise),
        log_probability=torch.randn(images, generator=noise),
    )


def test_what_is_measured_is_computed_again_from_what_is_kept(short: dict[str, Any]) -> None:
    record = rdc.run("random", **short)
    kept = rdc.read_predictions(record, short["records"])
    again = recompute({name: values.numpy() for name, values in vars(kept).items()}, ["top1", "top5", "loss"])
    assert record.predictions is not None
    assert record.predictions.images == len(kept) == 360
    assert (again["top1"], again["top5"]) == (record.results["top1"], record.results["top5"])
    assert again["loss"] == pytest.approx(record.results["loss"], rel=1e-6)
    assert record.evaluation is not None
    assert kept.predicted.bincount(minlength=10).tolist() == record.evaluation.predicted


def test_a_second_attempt_with_the_same_predictions_shares_their_file(short: dict[str, Any]) -> None:
    first = rdc.run("random", **short)
    second = rdc.run("random", **short, force=True)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.predictions == second.predictions
    assert len(list((short["records"] / first.key).glob("*.npz"))) == 1


def test_they_are_left_out_when_told_so_also_by_worker_processes(machine: dict[str, Any]) -> None:
    study = Study(
        dataset="digits", protocol="digits-hard", compressors=("random",), ipc=(1,), seeds=(0, 1), overrides=SHORT
    )
    kept = rdc.sweep(study, **{**machine, "records": machine["records"] / "kept"})
    left = rdc.sweep(study, **machine, jobs=2, no_predictions=True)
    assert [record.result_digest for record in left] == [record.result_digest for record in kept]
    assert all(record.predictions for record in kept)
    assert not any(record.predictions for record in left)
    assert not list(machine["records"].glob("*/*.npz"))
    with pytest.raises(RequestError, match=r"has no predictions: --no-predictions, or an evaluator without any"):
        rdc.read_predictions(left[0], machine["records"])


def test_a_record_of_an_earlier_schema_says_that_it_has_none(short: dict[str, Any]) -> None:
    record = rdc.run("random", **short)
    path = short["records"] / record.key / "0001.json"
    content = json.loads(path.read_text())
    del content["predictions"], content["written_as"], content["seal"]
    path.write_text(json.dumps({**content, "schema_version": 2}))
    old = rdc.run("random", **short)
    assert (old.attempt, old.written_as, old.predictions) == (1, 2, None)
    assert old.results == record.results
    with pytest.raises(RequestError, match="written under schema 2, which kept none; --force runs it again"):
        rdc.read_predictions(old, short["records"])


@pytest.mark.parametrize("change", ["gone", "cut", "another's"])
def test_a_file_that_is_not_the_records_is_refused(tmp_path: Path, short: dict[str, Any], change: str) -> None:
    record = rdc.run("random", **short)
    assert record.predictions is not None
    path = short["records"] / record.key / record.predictions.file
    if change == "gone":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        other = keep_predictions(Records(tmp_path / "others"), "key", drawn(360, 10))
        path.write_bytes((tmp_path / "others" / "key" / other.file).read_bytes())
    with pytest.raises(DamagedError, match=r"\.npz.*Copy it from its origin"):
        rdc.read_predictions(record, short["records"])


@pytest.mark.parametrize(("images", "classes", "most"), [(10_000, 10, 100_000), (50_000, 1000, 500_000), (0, 10, 1500)])
def test_they_are_small(tmp_path: Path, images: int, classes: int, most: int) -> None:
    records, given = Records(tmp_path), drawn(images, classes)
    kept = keep_predictions(records, "key", given)
    assert kept.bytes < most
    assert keep_predictions(records, "key", given) == kept
    (file,) = (tmp_path / "key").iterdir()
    assert (file.name, file.stat().st_size) == (kept.file, kept.bytes)


def test_they_come_back_to_the_bit(tmp_path: Path, short: dict[str, Any]) -> None:
    """Classes that need one byte, and more."""
    record = rdc.run("random", **short)
    for classes in (2, 256, 257, 70_000):
        given = drawn(500, classes)
        kept = keep_predictions(Records(tmp_path), "key", given)
        assert rdc.read_predictions(record.model_copy(update={"key": "key", "predictions": kept}), tmp_path) == given
