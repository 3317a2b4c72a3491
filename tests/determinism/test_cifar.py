"""The same result to the last bit on 2,000 stratified images of CIFAR-10.

``RETHINKDC_TEST_CIFAR10`` names a folder of CIFAR-10 as Parquet files or as an image tree.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.stratified import stratified_rows
from rethinkdc.layouts.hub import load_path
from tests.small import write_parquet, write_short_protocol

VARIABLE = "RETHINKDC_TEST_CIFAR10"
TRAIN, TEST, PROXY_EPOCHS, STEPS, IPC = 2000, 500, 2, 30, 5
PROXY_STEPS = PROXY_EPOCHS * -(-TRAIN // 128)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no folder of CIFAR-10"),
]


@pytest.fixture(scope="module")
def small_cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stratified rows with their own bytes, sorted by class as many copies are."""
    folder = tmp_path_factory.mktemp("small-cifar")
    splits = load_path(Path(os.environ[VARIABLE]), cache_folder=tmp_path_factory.mktemp("arrow"), backing="encoded")
    for split, images, count in (("train", splits.train, TRAIN), ("test", splits.test, TEST)):
        assert isinstance(images, EncodedImages)
        rows = stratified_rows(images.targets, count, 0)
        rows = rows[images.targets[rows].argsort(stable=True)]
        found = [images.blobs.read(row) for row in rows.tolist()]
        encoded = [item.read_bytes() if isinstance(item, Path) else item for item in found]
        labels = images.targets[rows].tolist()
        write_parquet(folder / "data" / f"{split}-0.parquet", encoded, labels, list(images.class_names))
    return folder


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``cifar10-small-hard``, shortened."""
    path = tmp_path_factory.mktemp("protocol") / "cifar10-short.toml"
    return write_short_protocol(path, "cifar10-small-hard", TRAIN, TEST, PROXY_EPOCHS, STEPS)


@pytest.fixture(scope="module")
def given(small_cifar: Path, protocol: Path) -> tuple[str, ...]:
    """The run's arguments beside its command."""
    return ("--compressor", "pca", "--ipc", str(IPC), "--dataset", str(small_cifar), "--protocol", str(protocol))


@pytest.fixture(scope="module")
def whole_digest(runs: Any, given: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the run that nothing interrupts."""
    digest: str = runs.digest(tmp_path_factory.mktemp("whole"), "run", *given)
    print(f"\nresult_digest of 2,000 rows of CIFAR-10: {digest}")
    return digest


@pytest.mark.parametrize("backing", ["decoded", "encoded"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_workers_and_backing_do_not_matter(
    runs: Any, given: tuple[str, ...], whole_digest: str, backing: str, workers: str, tmp_path: Path
) -> None:
    assert runs.digest(tmp_path, "run", *given, "--backing", backing, "--workers", workers) == whole_digest


KILLS = {
    "in the proxy": ("rethinkdc.training.loop", "_Training._train", PROXY_STEPS - 5, "after"),
    "in the selection, after the scores": ("rethinkdc.context.cache", "commit_folder", 2, "after"),
    "in the selection, between a part and its seal": ("rethinkdc.storage.parts", "_seal", 1, "before"),
    "in the student": ("rethinkdc.training.loop", "_Training._train", PROXY_STEPS + STEPS // 2, "after"),
    "in the saving": ("rethinkdc.runs.records", "os.link", 1, "before"),
}


@pytest.mark.parametrize("backing", ["decoded", "encoded"])
@pytest.mark.parametrize("point", KILLS)
def test_a_killed_run_goes_on_to_the_same_result(
    runs: Any, given: tuple[str, ...], whole_digest: str, point: str, backing: str, tmp_path: Path
) -> None:
    module, name, call, when = KILLS[point]
    stop = {"module": module, "name": name, "call": call, "when": when}
    killed = runs.run(tmp_path, "run", *given, "--backing", backing, stop=stop, every=0.0)
    assert killed["killed"], killed["err"] or "the run ended before the planned point"
    assert not list((tmp_path / "records").rglob("*.json"))
    assert runs.digest(tmp_path, "run", *given, "--backing", backing, every=0.0) == whole_digest
    assert not list((tmp_path / "cache").rglob(".making-*"))
    assert not list((tmp_path / "cache" / "work").iterdir())


def test_the_written_folder_loads_and_evaluates_to_the_same_result(
    runs: Any, small_cifar: Path, protocol: Path, given: tuple[str, ...], whole_digest: str, tmp_path: Path
) -> None:
    import datasets

    out = tmp_path / "pca-cifar"
    made = runs.run(tmp_path, "compress", *given, "--out", str(out))
    assert made["code"] == 0, made["err"]
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "arrow"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 10 * IPC}
    assert loaded["train"][0]["image"].size == (32, 32)
    names = ("--dataset", str(small_cifar), "--protocol", str(protocol))
    assert runs.digest(tmp_path, "evaluate", str(out), *names) == whole_digest
