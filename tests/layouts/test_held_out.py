"""Datasets without a test split: a fifth of each class is held out, and it is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image

from rethinkdc.data.stratified import stratified_parts
from rethinkdc.errors import DataError
from rethinkdc.layouts.file_datasets import FolderDataset
from rethinkdc.layouts.hub import load_path
from rethinkdc.seeds import generator


def write(folder: Path, counts: Mapping[str, int]) -> Path:
    pixels = generator(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            noise = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=pixels)
            Image.fromarray(noise.numpy()).save(folder / name / f"{index:02d}.png")
    return folder


def test_one_in_five_of_each_class_and_at_least_one_is_drawn() -> None:
    targets = torch.tensor([0] * 10 + [1] * 2 + [2] * 7 + [3] * 8)
    held = stratified_parts(targets, 5, 0)
    assert targets[held].bincount().tolist() == [2, 1, 1, 2]
    assert held.tolist() == sorted(set(held.tolist())) == stratified_parts(targets, 5, 0).tolist()
    assert held.tolist() != stratified_parts(targets, 5, 1).tolist()


@pytest.mark.parametrize("layout", ["train/", "training/", ""])
def test_a_tree_without_a_test_split_has_a_fifth_of_its_images_held_out(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "data"
    write(root / layout, {"b": 10, "a": 5})
    with pytest.warns(UserWarning, match=r"no test split: of each class one in 5 .* 3 of 15 in all"):
        splits = FolderDataset(path=str(root)).load(tmp_path / "cache")
    assert splits.train.class_names == splits.test.class_names == ("a", "b")
    assert splits.train.targets.bincount().tolist() == [4, 8]
    assert splits.test.targets.bincount().tolist() == [1, 2]
    pixels = [
        image.flatten().tolist()
        for part in (splits.train, splits.test)
        for image in part.native(torch.arange(len(part)))
    ]
    assert len({tuple(image) for image in pixels}) == 15
    again = load_path(root)
    assert again.fingerprint == splits.fingerprint
    assert any("are the classes, 'a', 'b'" in note for note in again.facts.notes) == (layout == "")


def test_its_fingerprint_is_that_of_the_divided_data(tmp_path: Path) -> None:
    whole = load_path(write(tmp_path / "whole" / "train", {"a": 5, "b": 10}).parent)
    write(tmp_path / "other" / "train", {"a": 5, "b": 10})
    write(tmp_path / "other" / "test", {"a": 5, "b": 10})
    other = load_path(tmp_path / "other")
    assert len({whole.fingerprint, other.fingerprint, whole.train.fingerprint, other.train.fingerprint}) == 4


def test_a_parquet_folder_without_a_test_split_is_divided_alike(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tree = write(tmp_path / "tree" / "train", {"a": 5, "b": 10})
    files = sorted(tree.rglob("*.png"))
    images = [{"bytes": file.read_bytes(), "path": None} for file in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, type=kind), "label": [file.parent.name for file in files]})
    (tmp_path / "parquet").mkdir()
    pq.write_table(table, tmp_path / "parquet" / "train.parquet")
    splits = load_path(tmp_path / "parquet", cache_folder=tmp_path / "cache")
    assert splits.fingerprint == load_path(tmp_path / "tree").fingerprint


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("train/a", "train/b", "eval/a", "eval/b"), "eval has folders of its classes"),
        (("training_set/a", "training_set/b", "test_set/a", "test_set/b"), "no layout that is known"),
        (("first/a", "first/b", "second/a", "second/b"), "no layout that is known"),
    ],
)
def test_folders_that_may_be_splits_are_not_taken_for_classes(
    tmp_path: Path, folders: tuple[str, ...], said: str
) -> None:
    write(tmp_path / "data", dict.fromkeys(folders, 2))
    with pytest.raises(DataError, match=said):
        load_path(tmp_path / "data")


def test_a_class_with_a_single_image_is_named(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train", {"a": 5, "lonely": 1})
    with pytest.raises(DataError, match=r"1 of 2 classes have a single image in .*'lonely'"):
        load_path(tmp_path / "data")
