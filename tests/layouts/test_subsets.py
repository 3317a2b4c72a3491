"""Datasets that are some classes of another: by name, or by number where the copy only numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from rethinkdc.data import DecodedImages, Schema
from rethinkdc.errors import DataError
from rethinkdc.layouts import ClassSubset
from rethinkdc.plugins.datasets.imagenet_100 import Imagenet100
from rethinkdc.plugins.datasets.imagenette import Imagenette
from rethinkdc.plugins.datasets.imagewoof import Imagewoof


class TwoOfFour(ClassSubset):
    """The second and the fourth of four classes."""

    name: ClassVar[str] = "two-of-four"
    hub_id: ClassVar[str] = "nobody/four"
    classes: ClassVar[Mapping[str, int]] = {"n2": 1, "n4": 3}
    of: ClassVar[int] = 4


def tree(folder: Path, names: tuple[str, ...]) -> Path:
    """Two training images and one test image of each class, ten times its place in the red of each pixel."""
    for number, name in enumerate(names):
        for split, count in (("train", 2), ("val", 1)):
            place = folder / split / name
            place.mkdir(parents=True)
            for image in range(count):
                Image.new("RGB", (4, 4), (10 * number, image, 0)).save(place / f"{image}.png")
    return folder


def colours(part: object) -> list[tuple[int, int]]:
    """Class and colour of each image."""
    assert isinstance(part, DecodedImages)
    return [(int(target), int(pixels[0, 0, 0])) for target, pixels in zip(part.targets, part.pixels, strict=True)]


@pytest.mark.parametrize(
    ("names", "colour"),
    [
        (("n1", "n2", "n3", "n4"), (10, 30)),
        (("alpha", "beta", "gamma", "omega"), (10, 30)),
        (("n2", "n4", "n9"), (0, 10)),
    ],
    ids=["named", "numbered", "named among others"],
)
def test_the_wanted_classes_are_kept_in_their_order(
    tmp_path: Path, names: tuple[str, ...], colour: tuple[int, int]
) -> None:
    folder = tree(tmp_path / "whole", names)
    splits = TwoOfFour(path=str(folder)).load(tmp_path / "cache")
    assert splits.train.class_names == splits.test.class_names == ("n2", "n4")
    assert colours(splits.train) == [(0, colour[0])] * 2 + [(1, colour[1])] * 2
    assert colours(splits.test) == [(0, colour[0]), (1, colour[1])]


def test_it_is_identified_again_without_reading_and_by_its_own_content(tmp_path: Path) -> None:
    folder = tree(tmp_path / "whole", ("n1", "n2", "n3", "n4"))
    dataset = TwoOfFour(path=str(folder))
    first = dataset.identify_parts(tmp_path / "cache")
    assert first.layout == Schema(classes=2, train=4, test=2)
    assert dataset.look_up(tmp_path / "cache", dataset._sign()) == first
    assert dataset.load().train.fingerprint == first.train
    # What is of no class that is wanted may change.
    Image.new("RGB", (4, 4), (1, 1, 1)).save(folder / "train" / "n1" / "0.png")
    assert dataset.identify_parts(tmp_path / "cache").train == first.train


def test_another_dataset_is_refused(tmp_path: Path) -> None:
    folder = tree(tmp_path / "other", ("a", "b", "n2"))
    with pytest.raises(DataError, match="has 3 classes, without n4: name a copy of the whole dataset, of 4 classes"):
        TwoOfFour(path=str(folder)).load()
    with pytest.raises(DataError, match="it does not exist"):
        TwoOfFour(path=str(tmp_path / "nowhere")).load()


@pytest.mark.parametrize(("kind", "count"), [(Imagenette, 10), (Imagewoof, 10), (Imagenet100, 100)])
def test_the_classes_of_imagenet_have_the_numbers_that_timm_gives_them(kind: type[ClassSubset], count: int) -> None:
    found = find_spec("timm")
    assert found is not None
    assert found.origin is not None
    ids = (Path(found.origin).parent / "data" / "_info" / "imagenet_synsets.txt").read_text().split()
    assert kind.schema is not None
    assert (kind.schema.classes, kind.schema.test) == (count, 50 * count)
    assert (len(kind.classes), kind.of) == (count, len(ids))
    assert {name: ids[number] for name, number in kind.classes.items()} == {name: name for name in kind.classes}
    assert list(kind.classes) == sorted(kind.classes)
    assert kind().repository == "ILSVRC/imagenet-1k"
