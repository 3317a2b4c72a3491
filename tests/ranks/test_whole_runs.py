"""Whole commands under ``torchrun``: the records of two ranks beside those of one process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.storage import load_tensors

pytestmark = pytest.mark.slow
ALONE = (sys.executable, "-m", "rethinkdc")
TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rethinkdc")
SHORT = ("--set", "training.steps=60", "--set", "proxy.training.epochs=10", "--set", "reference.epochs=4")
RUNS = {
    "selector": ("run", "-c", "pca", "--ipc", "2"),
    "full": ("run", "-c", "full"),
    "trained teacher": ("run", "-p", "digits-soft", "-c", "random", "--labeler", "soft", "--ipc", "2"),
    "labels that cool": ("run", "-p", "digits-soft", "-c", "random", "--labeler", "soft-quantized:k=3", "--ipc", "2"),
    "codes": ("run", "-p", "digits-soft", "-c", "random", "--labeler", "soft-lowrank:books=2", "--ipc", "2"),
    "stored labels": ("run", "-p", "digits-soft", "-c", "random", "--labeler", "soft-stored", "--ipc", "2"),
}

# Teachers of one process and of two differ by rounding, and so which of two nearly equal logits is kept may differ.
ONE_TEACHER = {"labels that cool"}


def record_of(place: Path, *words: str) -> dict[str, Any]:
    """The record of a command that is run in a place of its own."""
    place.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    environment |= {"RETHINKDC_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*words, "-d", "digits", "--device", "cpu", "--json", *SHORT],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert not ended.returncode, ended.stderr
    (record,) = json.loads(ended.stdout)
    assert len(list((place / "records").rglob("0*.json"))) == 1
    assert not list((place / "cache" / "work").iterdir())
    return dict(record)


def sets_of(place: Path) -> dict[str, Any]:
    """The rows of the selected sets, by their keys."""
    files = sorted((place / "cache" / "sets").glob("*/*.safetensors"))
    return {f"{file.parent.name}/{file.name}": load_tensors(file) for file in files}


@pytest.mark.parametrize("name", RUNS)
def test_two_ranks_write_the_record_of_one_process(name: str, tmp_path: Path) -> None:
    one = record_of(tmp_path / "one", *ALONE, *RUNS[name])
    if name in ONE_TEACHER:
        shutil.copytree(tmp_path / "one" / "cache" / "teachers", tmp_path / "two" / "cache" / "teachers")
    two = record_of(tmp_path / "two", *TWO, *RUNS[name])
    assert (one["key"], one["environment"]["ranks"], two["environment"]["ranks"]) == (two["key"], 1, 2)
    for metric, value in one["evaluation"]["metrics"].items():
        assert two["evaluation"]["metrics"][metric] == pytest.approx(value, abs=0.02), metric
    losses = [[point["train_loss"] for point in each["evaluation"]["curve"]] for each in (one, two)]
    assert losses[0] == pytest.approx(losses[1], abs=5e-3)
    for kind in ("views", "steps"):
        assert one["evaluation"][kind] == two["evaluation"][kind]
    assert one["cost"].keys() == two["cost"].keys()
    first, second = sets_of(tmp_path / "one"), sets_of(tmp_path / "two")
    assert first.keys() == second.keys()
    for file, tensors in first.items():
        assert tensors.keys() == second[file].keys()
        assert all(torch.equal(tensor, second[file][key]) for key, tensor in tensors.items())
