"""A split that shows the images of the other, or lost a class, is refused; what lies beside the classes is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rethinkdc.errors import DataError
from rethinkdc.layouts.hub import load_path

Plant = Callable[..., Path]
Draw = Callable[[Path, int], Path]
BOTH = {"train": {"ant": 2, "bee": 2}, "test": {"ant": 1, "bee": 1}}


@pytest.mark.parametrize("link", ["test", "test/ant", "test/ant/more", "test/ant/9.png"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_link_from_one_split_into_the_other_is_refused(plant: Plant, link: str, turned: bool) -> None:
    root = plant(BOTH)
    ends = {"test/ant/more": "train/ant", "test/ant/9.png": "train/ant/0.png"}
    end = ends.get(link, link.replace("test", "train"))
    if turned:
        (root / "train").rename(root / "middle")
        (root / "test").rename(root / "train")
        (root / "middle").rename(root / "test")
        link, end = link.replace("test", "train"), end.replace("train", "test")
    here, there = root / link, root / end
    if here.exists():
        here.rename(root.parent / "moved")
    here.symlink_to(there)
    with pytest.raises(DataError, match="the same images would be trained on and tested on"):
        load_path(root)


def test_links_of_both_splits_to_a_place_of_their_own_are_read(plant: Plant, tmp_path: Path) -> None:
    root = plant(BOTH)
    plain = load_path(root).fingerprint
    for split in ("train", "test"):
        (root / split).rename(tmp_path / f"{split}-elsewhere")
        (root / split).symlink_to(tmp_path / f"{split}-elsewhere")
    assert load_path(root).fingerprint == plain


def test_a_class_whose_link_leads_nowhere_is_refused_and_not_left_out(plant: Plant) -> None:
    root = plant({"train": {"ant": 5, "bee": 5, "cow": 5}})
    (root / "train" / "cow").rename(root.parent / "unmounted")
    (root / "train" / "cow").symlink_to(root.parent / "disk" / "cow")
    with pytest.raises(DataError, match=r"train/cow is a link to .*disk/cow, where nothing is"):
        load_path(root)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(images=st.integers(0, 3), lists=st.integers(0, 2), split=st.sampled_from(["train", "test"]))
def test_what_lies_beside_the_classes_is_counted(plant: Plant, draw: Draw, images: int, lists: int, split: str) -> None:
    root = plant(BOTH)
    plain = load_path(root).fingerprint
    beside = [draw(root / split / f"{index}.png", 50 + index) for index in range(images)]
    for index in range(lists):
        beside.append(root / split / f"{index}.txt")
        beside[-1].write_text("some words")
    found = load_path(root)
    for path in beside:
        path.unlink()
    assert found.fingerprint == plain
    counts = {".txt file": lists, "image in no class folder": images}
    assert found.facts.passed_over == {what: count for what, count in counts.items() if count}


def test_folders_of_systems_are_none_and_others_with_a_dot_are_told(plant: Plant, draw: Draw) -> None:
    root = plant(BOTH)
    plain = load_path(root).fingerprint
    for name in ("@eaDir", "$RECYCLE.BIN", "lost+found", ".ipynb_checkpoints", ".git"):
        draw(root / "train" / name / "0.png", 50)
    assert load_path(root).fingerprint == plain
    assert not load_path(root).facts.tell()
    draw(root / "train" / ".net" / "0.png", 51)
    assert load_path(root).facts.passed_over == {"folder with a dot before its name (.net)": 1}


@pytest.mark.parametrize("name", ["images", "unsorted"])
def test_a_folder_that_sorting_left_empty_is_no_class(plant: Plant, name: str) -> None:
    root = plant(BOTH)
    plain = load_path(root).fingerprint
    (root / "test" / name).mkdir()
    found = load_path(root)
    assert found.fingerprint == plain
    assert found.facts.passed_over == {"folder without images": 1}
    (root / "test" / "ant" / "0.png").unlink()
    with pytest.raises(DataError, match=r"no images in the split .*test: 'ant'"):
        load_path(root)


def test_a_class_without_images_names_what_was_passed_over_in_its_place(plant: Plant) -> None:
    root = plant(BOTH)
    for file in (root / "train").rglob("*.png"):
        file.rename(file.with_suffix(""))
    with pytest.raises(DataError, match=r"'ant', 'bee'\. Passed over: 4 x file without an ending\. Add"):
        load_path(root)


def test_one_class_is_nothing_to_tell_apart(plant: Plant) -> None:
    """Two flat splits with their images in a folder each are such, and no dataset of a class 'images'."""
    root = plant({"train": {"images": 3}, "test": {"images": 2}})
    with pytest.raises(DataError, match="are of one class, 'images': there is nothing to tell apart"):
        load_path(root)
