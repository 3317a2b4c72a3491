"""Folders with links, loops, and what is no image: every image once, and the rest counted."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from rethinkdc.data import Splits
from rethinkdc.errors import DataError
from rethinkdc.layouts import FolderDataset
from rethinkdc.layouts.walking import LINK_BACK, SPECIAL, Walk, list_files

Plant = Callable[..., Path]
Draw = Callable[[Path, int], Path]
BOTH = {"train": {"ant": 2, "bee": 2}, "test": {"ant": 1, "bee": 1}}


def load(root: Path, cache: Path | None = None) -> Splits:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FolderDataset(path=str(root)).load(cache)


@pytest.mark.parametrize("link", ["ant/self", "ant/deep/up", "bee/other", "loop", "ant/root"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_link_back_into_the_tree_or_above_it_adds_no_image(plant: Plant, link: str, absolute: bool) -> None:
    root = plant(BOTH)
    plain = load(root)
    ends = {"ant/self": "ant", "ant/deep/up": "ant", "bee/other": "ant", "loop": ".", "ant/root": ".."}
    place, end = root / "train" / link, root / "train" / ends[link]
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(end.resolve() if absolute else os.path.relpath(end, place.parent))
    found = load(root)
    assert found.fingerprint == plain.fingerprint
    assert found.facts.passed_over == {LINK_BACK: 1}


def test_folders_and_files_elsewhere_are_read_through_links_once(plant: Plant, draw: Draw, tmp_path: Path) -> None:
    root = plant(BOTH)
    draw(tmp_path / "store" / "more" / "9.png", 90)
    (tmp_path / "store" / "more" / "back").symlink_to(tmp_path / "store")
    (root / "train" / "ant" / "more").symlink_to(tmp_path / "store" / "more")
    (root / "train" / "bee" / "again").symlink_to(tmp_path / "store" / "more")
    (root / "train" / "bee" / "single.png").symlink_to(draw(tmp_path / "store" / "single", 91))
    found = load(root)
    assert found.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.facts.passed_over == {LINK_BACK: 2}


def test_a_class_folder_may_be_a_link_but_not_to_another_class(plant: Plant, tmp_path: Path) -> None:
    root = plant(BOTH)
    plain = load(root).fingerprint
    (root / "train" / "ant").rename(tmp_path / "elsewhere")
    (root / "train" / "ant").symlink_to(tmp_path / "elsewhere")
    assert load(root).fingerprint == plain
    (root / "train" / "cow").symlink_to("bee")
    with pytest.raises(DataError, match=r"train/cow is a link into the class folder .*train/bee"):
        load(root)


def test_a_link_to_an_image_of_the_same_split_is_no_second_image(plant: Plant) -> None:
    root = plant(BOTH)
    plain = load(root).fingerprint
    (root / "train" / "ant" / "copy.png").symlink_to("../bee/0.png")
    found = load(root)
    assert found.fingerprint == plain
    assert found.facts.passed_over == {LINK_BACK: 1}


def test_what_is_no_regular_file_is_never_opened(plant: Plant) -> None:
    """Reading a pipe that nobody writes to would wait for ever."""
    root = plant(BOTH)
    os.mkfifo(root / "train" / "ant" / "pipe.png")
    found = load(root)
    assert len(found.train) == 4
    assert found.facts.passed_over == {SPECIAL: 1}


def test_hidden_files_and_those_of_macos_are_none_of_the_tree(plant: Plant, draw: Draw) -> None:
    root = plant(BOTH)
    plain = load(root).fingerprint
    for hidden in ("train/__MACOSX/ant/._0.png", "train/ant/._0.png", "train/.ipynb_checkpoints/0.png", ".DS_Store"):
        draw(root / hidden, 50)
    found = load(root)
    assert found.fingerprint == plain
    assert not found.facts.tell()
    assert not [path for path in list_files(root) if path.name.startswith(".")]


def test_other_files_are_passed_over_by_ending_or_first_bytes_and_said_once(plant: Plant, tmp_path: Path) -> None:
    root = plant(BOTH)
    plain = load(root).fingerprint
    ant = root / "train" / "ant"
    strange = {"paper.pdf": b"%PDF-1.7", "scan.jpg": b"%PDF-1.4 x", "x.h5": b"\x89HDF", "y.png": b"\x89HDF\r\n\x1a\n0"}
    strange |= {"noend": b"", "z.webp": b"PK\x03\x04", "films.mp4": b"....ftypisom", "page.jpeg": b"<!DOCTYPE html>"}
    for name, content in strange.items():
        (ant / name).write_bytes(content)
    dataset, cache = FolderDataset(path=str(root)), tmp_path / "cache"
    expected = {".h5 file": 1, ".mp4 file": 1, ".pdf file": 1, "HDF5 file": 1, "PDF file": 1, "ZIP file": 1}
    expected |= {"page of HTML": 1, "file without an ending": 1}
    for backing in ("encoded", "auto", "encoded", "auto"):  # read, from the cached pixels, from the book
        with pytest.warns(UserWarning, match=r"Passed over: 1 x \.h5 file, .* 1 x file without an ending"):
            found = dataset.load(cache, backing)
        assert found.fingerprint == plain
        assert found.facts.passed_over == expected
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        for _ in range(3):
            dataset.load(cache)
    assert len(caught) == 1


def test_a_change_of_what_is_passed_over_is_noticed(plant: Plant, tmp_path: Path) -> None:
    root = plant(BOTH)
    assert not load(root, tmp_path / "cache").facts.passed_over
    (root / "train" / "ant" / "self").symlink_to(".")
    assert load(root, tmp_path / "cache").facts.passed_over == {LINK_BACK: 1}


def test_a_class_whose_name_is_not_utf8_is_named(plant: Plant) -> None:
    root = plant(BOTH)
    os.mkdir(os.fsencode(root / "train") + b"/caf\xe9")  # noqa: PTH102  # bytes are no Path
    with pytest.raises(DataError, match=r"caf\\xe9.*not UTF-8.*Rename it") as caught:
        load(root)
    str(caught.value).encode()


def test_an_image_whose_name_is_not_utf8_is_read_and_named_when_it_is_damaged(plant: Plant) -> None:
    root = plant(BOTH)
    odd = os.fsencode(root / "train" / "ant") + b"/\xe9.png"
    with open(odd, "wb") as file:  # noqa: PTH123  # bytes are no Path
        file.write((root / "train" / "ant" / "0.png").read_bytes())
    assert len(load(root).train) == 5
    with open(odd, "wb") as file:  # noqa: PTH123
        file.write(b"\x89PNG cut")
    with pytest.raises(DataError, match=r"\\xe9\.png") as caught:
        load(root)
    str(caught.value).encode()


def test_names_that_differ_in_their_unicode_form_alone_are_one_class_across_splits_and_none_in_one(
    plant: Plant, draw: Draw
) -> None:
    composed, parted = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    assert composed != parted
    # Sorted, the other class comes before the one form and after the other.
    root = plant({"train": {composed: 2, "cafz": 1}, "test": {parted: 1, "cafz": 1}})
    found = load(root)
    assert found.test.class_names == found.train.class_names == ("cafz", composed)
    assert found.test.targets.tolist() == [1, 0]
    assert "another Unicode form" in found.facts.tell()
    assert str(root) not in found.facts.tell()
    draw(root / "train" / parted / "9.png", 9)
    with pytest.raises(DataError, match="differ only in their Unicode form"):
        load(root)


def test_a_walk_lists_files_before_folders_each_sorted(draw: Draw, tmp_path: Path) -> None:
    for name in ("b/2.png", "b/a/1.png", "a.png", "c/0.png"):
        draw(tmp_path / name, 1)
    assert list(Walk(tmp_path).files(tmp_path)) == ["a.png", "b/2.png", "b/a/1.png", "c/0.png"]
