"""What ``compress --out`` writes: `datasets` reads it, and `evaluate` gets the result of `run`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache, so that the proxy is trained once."""
    return tmp_path_factory.mktemp("place")


@pytest.mark.parametrize(
    "compressor", ["random", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pca", "el2n:direction=hard"))]
)
def test_the_written_folder_loads_and_evaluates_to_the_same_result(
    runs: Any, place: Path, compressor: str, tmp_path: Path
) -> None:
    import datasets

    out = tmp_path / "written"
    made = runs.run(place, "compress", "-d", "digits", "--compressor", compressor, "--out", str(out))
    assert made["code"] == 0, made["err"]
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "arrow"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 10}
    assert loaded["train"][0]["image"].size == (8, 8)
    assert loaded["train"].features["class_id"].names == [str(digit) for digit in range(10)]
    whole = runs.digest(place, "run", "-d", "digits", "--compressor", compressor)
    assert runs.digest(place, "evaluate", str(out)) == whole


def test_the_same_set_is_written_to_the_last_byte(runs: Any, tmp_path: Path) -> None:
    """Made twice, the second time in another cache. Only the seconds that the making took may differ."""
    files, cards = [], []
    for place in ("first", "second"):
        out = tmp_path / place / "set"
        tiled = ("--compressor", "pca:score=random,grid=3", "--small-cells")
        made = runs.run(tmp_path / place, "compress", "-d", "digits", *tiled, "--out", str(out))
        assert made["code"] == 0, made["err"]
        files.append({path.name: path.read_bytes() for path in out.rglob("*.parquet")})
        about = json.loads((out / "card.json").read_text())
        assert about["card"].pop("seconds")
        cards.append(about)
    assert files[0]
    assert files[0] == files[1]
    assert cards[0] == cards[1]


def test_a_kill_while_the_folder_is_written_leaves_no_folder(runs: Any, tmp_path: Path) -> None:
    out = tmp_path / "set"
    given = ("compress", "-d", "digits", "--compressor", "random", "--out", str(out))
    stop = {"module": "rethinkdc.storage.folders", "name": "commit_folder", "call": 1, "when": "before"}
    assert runs.run(tmp_path, *given, stop=stop)["killed"]
    assert not out.exists()
    again = runs.run(tmp_path, *given)
    assert again["code"] == 0, again["err"]
    assert (out / "card.json").exists()
