"""A dataset that changes while a run reads it: nothing that was made of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rethinkdc import api
from rethinkdc.context.cache import Cache
from rethinkdc.data import EncodedImages
from rethinkdc.errors import DataError
from rethinkdc.layouts.file_datasets import FolderDataset
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.runner import Runner

SHORT = {"training.steps": 2}


def draw(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number, split in enumerate(("train", "test")):
        for label in range(3):
            for row in range(6):
                draw(tmp_path / "tree" / split / f"c{label}" / f"{row}.png", 100 * number + 10 * label + row)
    return tmp_path / "tree"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(registry=Registry(), cache=Cache(tmp_path / "cache"), records=Records(tmp_path / "records"))


def request(tree: Path, compressor: str = "random", backing: Any = "encoded") -> Request:
    return Request(compressor=compressor, labeler="hard", dataset=str(tree), ipc=1, overrides=SHORT, backing=backing)


def test_a_run_whose_data_changes_meanwhile_fails_and_keeps_nothing(tree: Path, runner: Runner) -> None:
    image = tree / "test" / "c0" / "0.png"
    with pytest.raises(DataError, match="changed while they were read"):
        runner.run(request(tree), seen=lambda *_: draw(image, 999))
    assert list(runner.records.all()) == []
    record, existed = runner.run(request(tree))
    assert not existed
    assert record.status == "ok"


def test_an_artefact_of_data_that_changed_meanwhile_is_not_kept(
    tree: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    method: Any = type(runner.registry.build("compressor", "random"))
    make = method.compress

    def changing(self: Any, *given: Any) -> Any:
        made = make(self, *given)
        draw(tree / "train" / "c0" / "0.png", 999)
        return made

    monkeypatch.setattr(method, "compress", changing)
    with pytest.raises(DataError, match="changed while they were read"):
        runner.compress(request(tree))
    assert not [path for path in (runner.cache.root / "sets").rglob("*") if path.is_file()]


@pytest.mark.parametrize("known", [False, True], ids=["new data", "data in the book"])
def test_pixels_of_a_file_that_changes_while_it_is_decoded_are_not_kept(
    tree: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    image = tree / "test" / "c1" / "3.png"
    dataset = FolderDataset(path=str(tree))
    if known:
        dataset.identify(runner.cache.root)
    first = EncodedImages.decoded

    def looked_at(self: EncodedImages, row: int) -> Any:
        # Asked of the first row, after the hash was taken and before the others are decoded.
        if f"{tree}/test/" in self.blobs.where(row):
            draw(image, 999)
        return first(self, row)

    monkeypatch.setattr(EncodedImages, "decoded", looked_at)
    with pytest.raises(DataError, match="changed while they were read"):
        dataset.load(runner.cache.root)
    kept = list((runner.cache.root / "decoded").rglob("*.safetensors"))
    # The training images, which did not change.
    assert len(kept) == 1
    monkeypatch.undo()
    changed = dataset.load(runner.cache.root)
    assert changed.test.fingerprint == FolderDataset(path=str(tree)).load(None, "encoded").test.fingerprint
    wanted = np.asarray(Image.open(image))
    shown = [one.permute(1, 2, 0).numpy() for one in changed.test.native(torch.arange(18))]
    assert sum(bool((one == wanted).all()) for one in shown) == 1


def test_pixels_in_memory_are_those_of_the_fingerprint_whatever_becomes_of_the_files(
    tree: Path, runner: Runner
) -> None:
    record, _ = runner.run(request(tree, backing="decoded"), seen=lambda *_: draw(tree / "test" / "c0" / "0.png", 999))
    assert record.status == "ok"


def test_all_is_read_again_where_that_is_asked_for(tree: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"dataset": str(tree), "ipc": 1, "overrides": SHORT, "cache_dir": tmp_path / "cache"}
    first = api.run("random", "hard", records=tmp_path / "records", **given)
    before = entries(tmp_path / "cache")
    again = api.run("random", "hard", records=tmp_path / "records", rehash=True, **given)
    assert again == first
    after = entries(tmp_path / "cache")
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def entries(cache: Path) -> dict[str, int]:
    """When each entry of the book was written."""
    return {one.name: one.stat().st_mtime_ns for one in (cache / "fingerprints").iterdir()}
