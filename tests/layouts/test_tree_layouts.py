"""Trees as they are published: flat test parts with a file of labels, and test parts without labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from rethinkdc.errors import DataError
from rethinkdc.layouts.hub import load_path

Plant = Callable[..., Path]
Draw = Callable[[Path, int], Path]
CLASSES = ("n03", "n01", "n02")


@pytest.fixture
def flat(plant: Plant, draw: Draw) -> Callable[..., Path]:
    """A tree of three classes with a flat split: image k is of class k modulo 3 of ``CLASSES``."""

    def write(split: str, count: int = 6, stem: str = "val_") -> Path:
        root = plant({"train": dict.fromkeys(CLASSES, 2)})
        for index in range(count):
            draw(root / split / f"{stem}{index}.JPEG", 100 + index)
        return root

    return write


def sorted_tree(root: Path, split: str, labels: Mapping[str, str]) -> str:
    """The fingerprint of the same images sorted into class folders."""
    other = root.parent / "sorted"
    shutil.copytree(root / "train", other / "train")
    for name, label in labels.items():
        place = other / "val" / label / Path(name).name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next((root / split).rglob(name)), place)
    return load_path(other).fingerprint


def labels_of(count: int = 6, stem: str = "val_") -> dict[str, str]:
    return {f"{stem}{index}.JPEG": CLASSES[index % 3] for index in range(count)}


def test_tiny_imagenet_as_it_is_downloaded(flat: Callable[..., Path], draw: Draw) -> None:
    root = flat("val/images")
    for label in CLASSES:
        (root / "train" / label / "images").mkdir()
        for file in sorted((root / "train" / label).glob("*.png")):
            file.rename(file.parent / "images" / file.name)
        (root / "train" / label / f"{label}_boxes.txt").write_text("0.png\t0\t0\t3\t3\n")
    draw(root / "test" / "images" / "test_0.JPEG", 99)
    lines = [f"{name}\t{label}\t0\t32\t44\t62\n" for name, label in labels_of().items()]
    (root / "val" / "val_annotations.txt").write_text("".join(reversed(lines)))
    (root / "wnids.txt").write_text("".join(f"{label}\n" for label in CLASSES))
    (root / "words.txt").write_text("".join(f"{label}\tsome thing, a thing\n" for label in ("n00", *CLASSES)))
    found = load_path(root)
    assert (len(found.train), len(found.test)) == (6, 6)
    assert found.test.class_names == ("n01", "n02", "n03")
    assert found.facts.tell() == "Tested on the split val: test has no labels."
    assert found.fingerprint == sorted_tree(root, "val", labels_of())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("LOC_val_solution.csv", "{stem},{label} 85 1 499 272 {label} 3 4 5 6\n"),
        ("val_labels.csv", "{name},{label}\n"),
        ("labels.tsv", "{label}\tval/{name}\n"),
        ("val.txt", "{name} {label}\n"),
    ],
)
@pytest.mark.parametrize("place", [".", "val"])
def test_a_flat_split_takes_its_classes_from_a_table_beside_it(
    flat: Callable[..., Path], name: str, line: str, place: str
) -> None:
    root = flat("val")
    rows = [line.format(name=image, stem=Path(image).stem, label=label) for image, label in labels_of().items()]
    (root / place / name).write_text("ImageId,PredictionString\n" * name.startswith("LOC") + "".join(rows[::-1]))
    found = load_path(root)
    assert found.fingerprint == sorted_tree(root, "val", labels_of())
    assert not found.facts.tell()


@pytest.mark.parametrize("numbers", ["map_clsloc.txt", "meta.mat", "synset_words.txt"])
def test_imagenets_ground_truth_counts_classes_as_the_development_kit_does(
    flat: Callable[..., Path], numbers: str
) -> None:
    stem = "ILSVRC2012_val_0000000"
    root = flat("val", stem=stem)
    kit = root / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n3\n1\n2\n3\n")
    if numbers == "map_clsloc.txt":
        (kit / numbers).write_text("n01 2 one\nn02 3 two\nn03 1 three\n")
    elif numbers == "synset_words.txt":
        (root / numbers).write_text("n03 three, third\nn01 one\nn02 two\n")
    else:
        rows = [(2, "n01"), (1, "n03"), (3, "n02"), (4, "n99")]
        kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
        savemat(kit / numbers, {"synsets": np.array(rows, dtype=kinds).reshape(-1, 1)})
    found = load_path(root)
    assert found.fingerprint == sorted_tree(root, "val", labels_of(stem=stem))
    assert "in the order of their names" in found.facts.tell()
    assert numbers in found.facts.tell()


def test_a_list_of_the_kits_classes_in_another_order_is_refused(plant: Plant, draw: Draw) -> None:
    """Its class 1 is known: sorted lists of the classes count otherwise, and would label every image wrongly."""
    root = plant({"train": {"n01440764": 1, "n02119789": 1}})
    for index in range(4):
        draw(root / "val" / f"{index}.JPEG", 100 + index)
    (root / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n1\n2\n")
    (root / "synset_words.txt").write_text("n01440764 tench\nn02119789 kit fox\n")
    with pytest.raises(DataError, match=r"where n02119789 is 1; .*synset_words\.txt lists them in another order"):
        load_path(root)
    (root / "synset_words.txt").write_text("n02119789 kit fox\nn01440764 tench\n")
    assert load_path(root).test.targets.tolist() == [0, 0, 1, 1]


def test_a_class_for_each_image_in_order_is_read_and_told(flat: Callable[..., Path]) -> None:
    root = flat("val")
    (root / "imagenet_2012_validation_synset_labels.txt").write_text("\n".join(labels_of().values()))
    found = load_path(root)
    assert found.fingerprint == sorted_tree(root, "val", labels_of())
    assert "synset_labels.txt was taken to list the images in the order of their names" in found.facts.tell()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("val_0.JPEG n01\n", r"gives classes to 1 of the 6 images in .*; val_1\.JPEG has none"),
        (
            "".join(f"val_{k}.JPEG n01\n" for k in range(6)) + "val_3.JPEG n02\n",
            r"val_3\.JPEG two classes: n01 and n02",
        ),
        ("".join(f"val_{k}.JPEG n0{1 + (k == 5) * 8}\n" for k in range(6)), r"val_5\.JPEG no class of the training"),
        (
            "".join(f"val_{k}.JPEG,n01,n0{1 + k % 2}\n" for k in range(6)),
            "2 columns of .* give classes, and they differ",
        ),
        ("1\n2\n1\n2\n1\n2\n", "test images of .* have no labels"),
        ("n01\nn02\n", "test images of .* have no labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(flat: Callable[..., Path], lines: str, message: str) -> None:
    root = flat("val")
    (root / "val" / "labels.txt").write_text(lines)
    with pytest.raises(DataError, match=message):
        load_path(root)


def test_numbers_that_may_count_from_0_or_1_and_tables_that_differ_are_refused(flat: Callable[..., Path]) -> None:
    root = flat("val")
    (root / "truth.txt").write_text("1\n2\n1\n2\n1\n2\n")
    (root / "classes.txt").write_text("n03\nn01\nn02\n")
    with pytest.raises(DataError, match="may count from 0 or from 1"):
        load_path(root)
    for name, shift in (("one.csv", 0), ("two.csv", 1)):
        rows = [f"val_{index}.JPEG,{CLASSES[(index + shift) % 3]}\n" for index in range(6)]
        (root / name).write_text("".join(rows))
    with pytest.raises(DataError, match=r"one\.csv and .*two\.csv give other classes to 6 images"):
        load_path(root)


def test_a_list_with_each_class_once_is_no_list_of_labels(flat: Callable[..., Path]) -> None:
    root = flat("val", count=3)
    (root / "wnids.txt").write_text("n01\nn02\nn03\n")
    with pytest.raises(DataError, match="have no labels"):
        load_path(root)


@pytest.mark.parametrize("form", ["flat", "images", "empty"])
def test_a_test_part_without_labels_gives_way_to_the_next(plant: Plant, draw: Draw, form: str) -> None:
    root = plant({"train": {"a": 2, "b": 2}, "val": {"a": 1, "b": 1}})
    (root / "test").mkdir()
    if form != "empty":
        draw(root / "test" / ("images/0.png" if form == "images" else "0.png"), 50)
    found = load_path(root)
    assert len(found.test) == 2
    assert found.facts.notes == ("Tested on the split val: test has no labels.",)


def test_imagenet_is_found_where_its_archive_unpacks(plant: Plant) -> None:
    root = plant({"train": {"a": 2, "b": 2}, "val": {"a": 1, "b": 1}}, name="outer/ILSVRC/Data/CLS-LOC")
    assert torch.equal(load_path(root.parents[2]).train.targets, load_path(root).train.targets)


def test_a_file_of_noisy_labels_beside_a_tree_is_not_used(plant: Plant) -> None:
    """As Imagenette and ImageWoof have one: their folders are the classes."""
    root = plant({"train": {"a": 2, "b": 2}, "val": {"a": 1, "b": 1}})
    plain = load_path(root).fingerprint
    (root / "noisy_imagenette.csv").write_text("path,noisy_labels_0,noisy_labels_50\ntrain/a/0.png,a,b\n")
    assert load_path(root).fingerprint == plain


def test_splits_may_be_named_with_capitals(plant: Plant) -> None:
    splits = {"train": {"a": 2, "b": 2}, "test": {"a": 1, "b": 1}}
    root = plant({split.capitalize(): classes for split, classes in splits.items()}, name="capitals")
    assert load_path(root).fingerprint == load_path(plant(splits)).fingerprint


def test_an_archive_beside_nothing_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"Unpack cifar-10-python\.tar\.gz first"):
        load_path(tmp_path)


def test_numbers_beside_names_count_the_classes_of_a_list(flat: Callable[..., Path]) -> None:
    """As Caffe lists images, with the classes in a file of their own."""
    root = flat("val")
    (root / "synsets.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    rows = [f"val/{name} {CLASSES.index(label)}\n" for name, label in labels_of().items()]
    (root / "val.txt").write_text("".join(rows[::-1]))
    found = load_path(root)
    assert found.fingerprint == sorted_tree(root, "val", labels_of())
    assert found.facts.tell() == "The numbers in val.txt count the classes as synsets.txt does."
    (root / "val.txt").write_text("".join(rows).replace(" 0\n", " 1\n"))
    with pytest.raises(DataError, match="may count from 0 or from 1"):
        load_path(root)
    (root / "synsets.txt").unlink()
    with pytest.raises(DataError, match=r"have no labels: .* Looked at: val\.txt \(6 lines\)\. .* a fifth of train"):
        load_path(root)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mark=st.sampled_from(["\t", ",", ";", " "]),
    end=st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n"]),
    more=st.integers(0, 3),
    boxes=st.booleans(),
    head=st.sampled_from(["", "\ufeff"]),
)
def test_annotations_are_read_however_they_are_written_and_those_without_images_are_told(
    flat: Callable[..., Path], mark: str, end: str, more: int, boxes: bool, head: str
) -> None:
    root = flat("val/images")
    named = [*labels_of().items(), *((f"gone_{index}.JPEG", CLASSES[0]) for index in range(more))]
    lines = [mark.join([name, label, *["0", "9"] * boxes]) for name, label in named]
    (root / "val" / "val_annotations.txt").write_text(head + end.join(lines), encoding="utf-8", newline="")
    found = load_path(root)
    assert found.test.targets.tolist() == [0, 0, 1, 1, 2, 2]
    note = f"val_annotations.txt names {more} more images than are there."
    assert found.facts.tell() == (note if more else "")


@pytest.mark.parametrize("place", ["inner/train/a", "data/train/a"])
def test_a_dataset_one_folder_below_is_pointed_to(tmp_path: Path, draw: Draw, place: str) -> None:
    draw(tmp_path / "outer" / place / "0.png", 1)
    with pytest.raises(DataError, match=f"A dataset lies in {place.split('/')[0]}: name that folder itself"):
        load_path(tmp_path / "outer")


def test_a_folder_that_keeps_others_from_being_classes_is_named(tmp_path: Path, draw: Draw) -> None:
    for index, name in enumerate(("a/0.png", "a/1.png", "b/0.png", "b/1.png")):
        draw(tmp_path / "tree" / name, index)
    assert len(load_path(tmp_path / "tree").train) == 2
    (tmp_path / "tree" / "docs").mkdir()
    with pytest.raises(DataError, match="If its folders are classes, move docs away: no image lies in it"):
        load_path(tmp_path / "tree")
