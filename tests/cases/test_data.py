"""Folders of data as they lie on people's disks: read with the right classes and rows, or refused for their cause."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from rethinkdc.compressed.class_places import class_places
from rethinkdc.data import Splits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.layouts.hub import load_path

SORTED, TURNS = [0, 0, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2]
ABC, NUMBERS = ("a", "b", "c"), ("0", "1", "2")
TWELVE = tuple(sorted(map(str, range(12))))
BY_NUMBER = [TWELVE.index(str(number)) for number in range(12)]


class Read(NamedTuple):
    """What must come out."""

    classes: tuple[str, ...]
    train: list[int]
    test: list[int]
    told: str = ""


TREE, TABLE, NAMED = Read(ABC, SORTED, SORTED), Read(NUMBERS, TURNS, TURNS), Read(ABC, TURNS, TURNS)
READ = {
    "Train_Test_caps": TREE,
    "gif_webp": Read(ABC, [0, 0, 0, 0, 1, 2], [0, 1, 2]),
    "h5_beside": TREE._replace(told="Passed over: 1 x .h5 file."),
    "imagefolder_metadata": TABLE,
    "imagenette_like": TREE,
    "junk": TREE._replace(told="Passed over: 1 x .db file, 1 x .txt file."),
    "lab_tiff": Read(ABC, [0, 0, 1, 2], [0, 1, 2]),
    "macosx_folder": TREE,
    "no_ending": Read(ABC, [0, 1, 2], [0, 1, 2], "Passed over: 1 x file without an ending."),
    "no_test": Read(
        ABC,
        [0, 1, 2],
        [0, 1, 2],
        "There is no test split: of each class one in 5 training images is held out for testing, 3 of 6 in all.",
    ),
    "numeric_names": Read(TWELVE, list(range(12)), list(range(12))),
    "pdf_beside": TREE._replace(told="Passed over: 1 x .pdf file."),
    "pq_bool_label": Read(("0", "1"), [1, 0] * 3, [1, 0] * 3),
    "pq_bytes_filename": TABLE,
    "pq_dictionary": NAMED,
    "pq_float_label": TABLE,
    "pq_image_bytes": TABLE,
    "pq_labels_plural": TABLE,
    "pq_large_binary": TABLE,
    "pq_large_string": NAMED,
    "pq_null_test": TABLE._replace(told="Tested on the split validation: test has no labels."),
    "pq_number_texts": Read(TWELVE, BY_NUMBER, BY_NUMBER),
    "pq_raw_binary": TABLE,
    "pq_relative_path": TABLE,
    "pq_string": NAMED,
    "pq_valid": TABLE,
    "pq_webdataset": TABLE,
    "tiny_official": Read(("n01", "n02", "n03"), SORTED, [0, 1, 2], "Tested on the split val: test has no labels."),
}
REFUSED = {
    "pq_old_list_feature": "labels .* are lists: .*Each image needs one class",
    "test_lacks_class": "Only in .*train: 'c'",
    "torchvision_cifar": "lacks data_batch_2, data_batch_3, .*batches.meta of the files that cifar-10-batches-py has",
    "train_eval": "eval has folders of its classes. If it is what to test on, name it test",
    "zero_byte": r"train/a/0\.png: .*The file is empty \(0 bytes\)",
}
MADE = ("huge_png", "link_loop")
"""What no archive carries well: made below."""


def test_every_input_has_an_answer(names_in: Callable[[str], set[str]]) -> None:
    assert names_in("data") == {*READ, *REFUSED, *MADE}


def copied(folder: Path, to: Path) -> Path:
    """A copy that can be changed, where the original is read-only."""
    shutil.copytree(folder, to, copy_function=shutil.copyfile)
    for path in (to, *to.rglob("*")):
        path.chmod(0o755)
    return to


def found(splits: Splits) -> Read:
    """What was read, as an answer."""
    for part in (splits.train, splits.test):
        assert part.class_names == splits.train.class_names
    train, test = splits.train.targets.tolist(), splits.test.targets.tolist()
    return Read(splits.train.class_names, train, test, splits.facts.tell())


@pytest.mark.parametrize("name", READ)
def test_folders(name: str, cases: Path, tmp_path: Path) -> None:
    splits = load_path(cases / "data" / name, cache_folder=tmp_path)
    assert found(splits) == READ[name]
    for part in (splits.train, splits.test):
        assert {image.ndim for image in part.native(part.targets * 0)} == {3}


@pytest.mark.parametrize("name", REFUSED)
def test_folders_that_cannot_be_used_are_refused_for_their_cause(name: str, cases: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=REFUSED[name]):
        load_path(cases / "data" / name, cache_folder=tmp_path)


def test_a_tree_of_indices_beside_numeric_names_is_ambiguous(cases: Path, tmp_path: Path) -> None:
    names = load_path(cases / "data" / "numeric_names", cache_folder=tmp_path).train.class_names
    with pytest.raises(RequestError, match=r"'00002' may be class '2' of d, or its class of index 2, .* '10'"):
        class_places(tuple(f"{index:05d}" for index in range(12)), names, "d")


def test_batches_of_cifar_are_read_where_all_are_there(cases: Path, tmp_path: Path) -> None:
    folder = copied(cases / "data" / "torchvision_cifar", tmp_path / "copy") / "cifar-10-batches-py"
    for index, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        pixels = np.random.default_rng(index).integers(0, 256, (10, 3072)).astype(np.uint8)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(pickle.dumps({b"data": pixels, b"labels": list(range(10))}))
    names = [f"class {index}" for index in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in names]}))
    splits = load_path(tmp_path / "copy")
    assert found(splits) == Read(tuple(names), [*range(10)] * 5, [*range(10)])


# -- what no archive carries well --------------------------------------------------------------------------------------


@pytest.fixture
def tree(cases: Path, tmp_path: Path) -> Path:
    """A copy of an input without any fault, to be changed."""
    return copied(cases / "data" / "Train_Test_caps", tmp_path / "tree")


def test_a_folder_with_a_link_to_itself_has_its_images_once(tree: Path) -> None:
    (tree / "Train" / "a" / "self").symlink_to(".")
    assert found(load_path(tree)) == TREE._replace(told="Passed over: 1 x link to what is listed already.")


def test_a_class_folder_whose_name_is_not_utf_8_is_named(tree: Path) -> None:
    (tree / "Train" / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(DataError, match=r"Train/caf\\xe9 has a name that is not UTF-8"):
        load_path(tree)


def test_an_image_beyond_the_limit_is_too_large_and_not_damaged(tree: Path) -> None:
    Image.new("L", (14_000, 13_000)).save(tree / "Train" / "a" / "0.png", compress_level=1)
    with pytest.raises(DataError, match=r"too large: 14000 x 13000 px .*RETHINKDC_MAX_PIXELS=182000000"):
        load_path(tree)


@pytest.mark.parametrize(
    ("name", "start", "told"),
    [
        ("paper.pdf", b"%PDF-1.7", ".pdf file"),
        ("scan.png", b"%PDF-1.7", "PDF file"),
        ("x.h5", b"\x89HDF\r\n\x1a\n", ".h5 file"),
        ("x.jpg", b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    ],
)
def test_a_file_of_another_kind_beside_images_is_passed_over_and_counted(
    tree: Path, name: str, start: bytes, told: str
) -> None:
    (tree / "Train" / "a" / name).write_bytes(start)
    assert found(load_path(tree)) == TREE._replace(told=f"Passed over: 1 x {told}.")
