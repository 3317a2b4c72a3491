"""Finished sets in a sweep: on the same way as every other run, and the same records as ``evaluate`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import rethinkdc as rdc
from rethinkdc.compressed import set_of_tensors
from rethinkdc.errors import DataError
from rethinkdc.runs.records import Record, Records
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Study

SHORT = {"training.steps": 3}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20, 3, 8, 8), dtype=torch.uint8, generator=draws)
    return images, torch.arange(10).repeat_interleave(2)


def written(folder: Path) -> Path:
    images, labels = tensors()
    save_file({"images": images, "labels": labels}, folder / "theirs.safetensors")
    return folder / "theirs.safetensors"


def test_a_set_in_a_study_is_the_run_that_evaluate_makes(tmp_path: Path, place: dict[str, Any]) -> None:
    study = Study(dataset="digits", compressors=("random", StudySet(set=str(written(tmp_path)))), ipc=(2,))
    random, theirs = rdc.sweep(study, **place)
    assert [record.status for record in (random, theirs)] == ["ok", "ok"]
    assert (theirs.names.compressor, theirs.names.ipc) == ("theirs", "2")
    assert rdc.evaluate(tmp_path / "theirs.safetensors", dataset="digits", **place) == theirs
    assert rdc.sweep(study, **place) == [random, theirs]
    assert len(list(Records(place["records"]).all())) == 2


def test_processes_carry_sets_out_as_well(tmp_path: Path, place: dict[str, Any]) -> None:
    study = Study(
        dataset="digits",
        compressors=("random", StudySet(set=str(written(tmp_path)), name="DC")),
        seeds="student=0,1",
        overrides=SHORT,
    )
    one = rdc.sweep(study, **place)
    two = rdc.sweep(study, jobs=2, **{**place, "records": tmp_path / "two"})
    assert [(record.names.compressor, record.status) for record in two] == [("random", "ok")] * 2 + [("DC", "ok")] * 2
    assert [(record.key, record.result_digest) for record in two] == [
        (record.key, record.result_digest) for record in one
    ]


def test_a_set_that_cannot_be_fetched_fails_its_own_run_and_is_tried_again(
    tmp_path: Path, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hub"))
    study = Study(dataset="digits", compressors=("someone/their-set", "random"), ipc=(2,), overrides=SHORT)

    def offline(*_: object) -> None:
        raise DataError("Cannot read a compressed set from someone/their-set: no network.")

    monkeypatch.setattr("rethinkdc.runs.identity.open_set", offline)
    theirs, random = rdc.sweep(study, **place)
    assert (theirs.status, random.status) == ("failed", "ok")
    assert "no network" in theirs.reason
    # Nobody knows the key of a run whose set was never here, so that nothing is kept of it.
    assert [record.key for record in Records(place["records"]).all()] == [random.key]

    monkeypatch.setattr("rethinkdc.runs.identity.open_set", lambda *_: set_of_tensors(*tensors()))
    theirs, again = rdc.sweep(study, **place)
    assert (theirs.status, theirs.names.compressor, theirs.names.ipc) == ("ok", "their-set", "2")
    assert again == random
    assert Records(place["records"]).find(theirs.key) == theirs


def test_a_set_that_does_not_fit_is_recorded_with_its_reason(tmp_path: Path, place: dict[str, Any]) -> None:
    images, labels = tensors()
    save_file({"images": images[:, :, :4, :4].clone(), "labels": labels}, tmp_path / "small.safetensors")
    study = Study(dataset="digits", compressors=(StudySet(set=str(tmp_path / "small.safetensors")),), overrides=SHORT)
    (record,) = rdc.sweep(study, **place)
    assert record.status == "failed"
    assert "4" in record.reason
    assert record.attempt == 1


def test_a_run_reads_no_record_but_its_own(place: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {"dataset": "digits", "overrides": SHORT, **place}
    first, records = rdc.run("random", **asked), Records(place["records"])
    content = records.path(first.key, 1).read_bytes()
    for number in range(100):
        file = records.path(f"{number:024x}", 1)
        file.parent.mkdir()
        file.write_bytes(content)
    read: list[Path] = []
    reading = Records.read

    def counted(self: Records, path: Path) -> Record:
        read.append(path)
        return reading(self, path)

    monkeypatch.setattr(Records, "read", counted)
    assert rdc.run("random", **asked) == first
    assert set(read) == {records.path(first.key, 1)}
