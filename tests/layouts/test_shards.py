"""Datasets whose files did not all arrive, or that are several: refused or told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.compressed import read_set
from rethinkdc.errors import DataError
from rethinkdc.layouts.hub import load_path
from rethinkdc.layouts.shards import check_shards

Draw = Callable[[Path, int], Path]


@pytest.fixture
def write(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """Writes a Parquet file of two rows, one of each class."""
    number = iter(range(100))

    def written(name: str, root: str = "set") -> Path:
        file = tmp_path / root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        images = [draw(tmp_path / "image.png", next(number)).read_bytes() for _ in range(2)]
        pq.write_table(pa.table({"image": pa.array(images), "class_id": [0, 1]}), file)
        return tmp_path / root

    return written


@given(count=st.integers(1, 30), lost=st.sets(st.integers(0, 29)))
def test_exactly_the_missing_files_of_a_split_are_named(count: int, lost: set[int]) -> None:
    files = [Path("data", f"train-{number:05d}-of-{count:05d}.parquet") for number in range(count)]
    kept = [file for number, file in enumerate(files) if number not in lost]
    missing = count - len(kept)
    others = [Path("data", name) for name in ("test.parquet", "test-00000-of-00001.parquet", "train-1-of-9.txt")]
    if not kept or not missing:
        check_shards([*kept, *others])
        return
    with pytest.raises(DataError, match=f"lacks {missing} of {count} files of train: ") as refused:
        check_shards([*kept, *others])
    shown = [file.name for file in files if file not in kept][:4]
    assert all(name in str(refused.value) for name in shown)


def test_a_download_that_broke_off_is_no_smaller_dataset(write: Callable[..., Path]) -> None:
    for name in ("data/train-00000-of-00002.parquet", "data/test-00000-of-00001.parquet"):
        root = write(name)
    with pytest.raises(DataError, match=r"lacks 1 of 2 files of train: train-00001-of-00002\.parquet"):
        load_path(root)
    with pytest.raises(DataError, match=r"lacks 1 of 2 files of train"):
        read_set(root)
    write("data/train-00001-of-00002.parquet")
    assert load_path(root, cache_folder=root.parent / "cache").train.targets.tolist() == [0, 1, 0, 1]


def test_files_of_several_folders_are_joined_and_told(write: Callable[..., Path]) -> None:
    for name in ("one/train.parquet", "two/train.parquet", "one/test.parquet"):
        root = write(name)
    told = load_path(root, cache_folder=root.parent / "cache").facts.notes
    assert told == ("The train split joins the files of 2 folders: one, two.",)
    alone = write("one/train.parquet", "alone")
    write("one/test.parquet", "alone")
    assert not load_path(alone, cache_folder=root.parent / "cache").facts.tell()


def test_a_file_that_cannot_be_joined_names_the_cause(write: Callable[..., Path]) -> None:
    root = write("train.parquet")
    pq.write_table(pa.table({"image": [b""], "class_id": ["a"]}), root / "test.parquet")
    with pytest.raises(DataError, match=r"Cannot load the dataset .*set: ArrowInvalid: Failed to parse string: 'a'"):
        load_path(root, cache_folder=root.parent / "cache")


def test_what_hugging_face_saved_is_the_same_dataset(write: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("train.parquet", "test.parquet"):
        root = write(name)
    loaded = datasets.load_dataset(str(root), cache_dir=str(tmp_path / "cache"))
    loaded.save_to_disk(str(tmp_path / "saved"))
    assert load_path(tmp_path / "saved").fingerprint == load_path(root, cache_folder=tmp_path / "cache").fingerprint
    (tmp_path / "saved" / "train" / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"Cannot load the dataset .*saved: JSONDecodeError"):
        load_path(tmp_path / "saved")
