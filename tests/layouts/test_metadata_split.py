"""Images beside a file of their labels, as Hugging Face reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rethinkdc.errors import DataError
from rethinkdc.layouts.hub import load_path

Draw = Callable[[Path, int], Path]
Rows = Sequence[tuple[Any, ...]]
FORMS = ("csv", "jsonl", "parquet")
PLAIN: Rows = [(f"{index}.png", index % 3) for index in range(6)]


def describe(place: Path, rows: Rows, form: str = "csv", columns: Sequence[str] = ("file_name", "label")) -> None:
    """Writes a file of metadata."""
    file = place / f"metadata.{form}"
    if form == "csv":
        file.write_text("\r\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\r\n\r\n", newline="")
    elif form == "jsonl":
        file.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        pq.write_table(pa.table({name: [row[at] for row in rows] for at, name in enumerate(columns)}), file)


@pytest.fixture
def flat(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """Writes splits of six images each, without their labels."""

    def write(*splits: str, name: str = "tree") -> Path:
        for number, split in enumerate(splits):
            for index in range(6):
                draw(tmp_path / name / split / f"{index}.png", 10 * number + index)
        return tmp_path / name

    return write


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_every_form_are_read_in_the_order_of_the_file(flat: Callable[..., Path], form: str) -> None:
    root = flat("train", "test")
    for split in ("train", "test"):
        describe(root / split, PLAIN[::-1], form)
    found = load_path(root)
    assert found.train.class_names == ("0", "1", "2")
    assert found.train.targets.tolist() == found.test.targets.tolist() == [2, 1, 0, 2, 1, 0]
    assert not found.facts.tell()
    first = found.train.native(found.train.targets.new_tensor([0]))[0]
    (root / "train" / "5.png").rename(root / "train" / "6.png")
    describe(root / "train", [("6.png", 2), *PLAIN[4::-1]], form)
    assert load_path(root).train.native(found.train.targets.new_tensor([0]))[0].equal(first)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4), min_size=2),
    form=st.sampled_from(FORMS),
)
def test_any_texts_are_classes_and_numbers_keep_their_zeros(
    flat: Callable[..., Path], labels: list[str], form: str
) -> None:
    root = flat("train", "test")
    kinds = sorted(set(labels))[:3]
    whole = all(kind == "0" or (kind.isdecimal() and kind[0] != "0") for kind in kinds) and form == "csv"
    if len(kinds) < 2 or whole:
        return
    rows = [(f"{index}.png", kinds[index % len(kinds)]) for index in range(6)]
    for split in ("train", "test"):
        for other in FORMS:
            (root / split / f"metadata.{other}").unlink(missing_ok=True)
        describe(root / split, rows, form)
    found = load_path(root)
    assert found.train.class_names == tuple(kinds)
    assert found.train.targets.tolist() == [index % len(kinds) for index in range(6)]


def test_paths_are_relative_to_the_file_in_a_split_or_above_it(flat: Callable[..., Path]) -> None:
    within, above = flat("train/images", "test/images"), flat("train", "test", name="above")
    for split in ("train", "test"):
        describe(within / split, [(f"images/{name}", label) for name, label in PLAIN])
    describe(above, [(f"{split}/{name}", label) for split in ("train", "test") for name, label in PLAIN])
    assert load_path(within).fingerprint == load_path(above).fingerprint


def test_without_a_test_split_a_part_is_held_out(flat: Callable[..., Path], tmp_path: Path) -> None:
    describe(flat("train") / "train", PLAIN)
    describe(flat("", name="undivided"), PLAIN)
    assert load_path(tmp_path / "tree").fingerprint == load_path(tmp_path / "undivided").fingerprint


@pytest.mark.parametrize("rows", [[(f"{index}.png",) for index in range(6)], [(f"{k}.png", "") for k in range(6)]])
def test_a_test_split_without_labels_gives_way_to_the_next(flat: Callable[..., Path], rows: Rows) -> None:
    root = flat("train", "test", "validation")
    for split in ("train", "validation"):
        describe(root / split, PLAIN)
    describe(root / "test", rows, columns=("file_name", "label")[: len(rows[0])])
    assert load_path(root).facts.notes == ("Tested on the split validation: test has no labels.",)
    (root / "validation" / "metadata.csv").unlink()
    with pytest.raises(DataError, match=r"have no labels: test and validation .* a fifth of train"):
        load_path(root)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (
            [(*row, "x", "y") for row in PLAIN],
            ("file_name", "breed", "a", "b"),
            "which column .* is the class: breed, a",
        ),
        ([(*row, row[1] % 2) for row in PLAIN], ("file_name", "label", "class_id"), "is the class: label, class_id"),
        ([*PLAIN, ("6.png", 0)], ("file_name", "label"), r"names 1 images that are not there, such as 6\.png"),
        ([*PLAIN, ("0.png", 0)], ("file_name", "label"), r"names 1 images more than once, such as 0\.png"),
        (PLAIN[:5], ("file_name", "label"), r"no line for 1 of the 6 images beside it, such as 5\.png"),
        ([(name, label + 1) for name, label in PLAIN], ("file_name", "label"), "count its 3 classes from 1"),
        ([("0.png",)], ("file_name",), "has no column of classes"),
    ],
)
def test_what_does_not_fit_is_refused(
    flat: Callable[..., Path], rows: Rows, columns: Sequence[str], message: str
) -> None:
    root = flat("train", "test")
    for split in ("train", "test"):
        describe(root / split, rows, columns=columns)
    with pytest.raises(DataError, match=message):
        load_path(root)


def test_another_column_is_told_and_columns_beside_a_label_do_no_harm(flat: Callable[..., Path]) -> None:
    root = flat("train", "test")
    for split in ("train", "test"):
        describe(root / split, PLAIN, columns=("file_name", "breed"))
    plain = load_path(root)
    assert plain.facts.notes == ("Classes are the column 'breed' of metadata.csv.",)
    for split in ("train", "test"):
        describe(root / split, [(*row, "a dog") for row in PLAIN], columns=("file_name", "label", "text"))
    assert load_path(root).fingerprint == plain.fingerprint
    assert not load_path(root).facts.tell()


def test_folders_that_may_be_classes_are_never_overruled_in_silence(plant: Callable[..., Path]) -> None:
    root = plant({"train": {"a": 2, "b": 2}, "test": {"a": 1, "b": 1}})
    plain = load_path(root).fingerprint
    names = [f"{label}/{index}.png" for label in "ab" for index in range(2)]
    describe(root / "train", [(name, name[0]) for name in names])
    assert load_path(root).fingerprint == plain
    describe(root / "train", [(name, "ba"[name[0] == "b"]) for name in names])
    with pytest.raises(DataError, match="other classes to 4 images"):
        load_path(root)


def test_two_files_of_metadata_and_a_damaged_one_are_refused(flat: Callable[..., Path]) -> None:
    root = flat("train", "test")
    for form in ("csv", "jsonl"):
        describe(root / "train", PLAIN, form)
    with pytest.raises(DataError, match=r"Both .*metadata\.csv and .*metadata\.jsonl"):
        load_path(root)
    (root / "train" / "metadata.csv").unlink()
    (root / "train" / "metadata.jsonl").write_text('{"file_name": ')
    with pytest.raises(DataError, match=r"Cannot read .*metadata\.jsonl: ValueError: line 1"):
        load_path(root)
