"""Parquet as people write it: images and labels in every type that means the same."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from rethinkdc.errors import DataError
from rethinkdc.layouts import FolderDataset
from rethinkdc.layouts.hub import load_path
from rethinkdc.layouts.labels import is_unlabelled, plain_labels, read_targets

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TEXTS = ["cat", "ant", "cat", "bee"]
NUMBERS = [2, 0, 2, 1]


def png(value: int) -> bytes:
    """A noisy image that differs for every value."""
    file = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def own_datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written outside the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


def write(
    root: Path,
    images: Callable[[list[bytes]], pa.Array] | None = None,
    labels: pa.Array | None = None,
    columns: tuple[str, str] = ("image", "label"),
    **others: pa.Array,
) -> Path:
    """Writes a train split of four rows and a test split like it; further splits by their labels."""
    (root / "data").mkdir(parents=True)
    labels = pa.array(NUMBERS) if labels is None else labels
    for split, column in {"train": labels, "test": labels, **others}.items():
        blobs = [png(row + 10 * (split != "train")) for row in range(len(column))]
        shown = images(blobs) if images else pa.array([{"bytes": blob, "path": None} for blob in blobs], type=STRUCT)
        pq.write_table(pa.table({columns[0]: shown, columns[1]: column}), root / "data" / f"{split}.parquet")
    return root


def structs(kind: pa.DataType, **more: Any) -> Callable[[list[bytes]], pa.Array]:
    return lambda blobs: pa.array([{"bytes": blob, **more} for blob in blobs], type=kind)


IMAGES = {
    "binary": lambda blobs: pa.array(blobs, type=pa.binary()),
    "large_binary": lambda blobs: pa.array(blobs, type=pa.large_binary()),
    "struct<bytes>": structs(pa.struct([("bytes", pa.binary())])),
    "large struct": structs(pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())]), path="x.png"),
    "filename": structs(pa.struct([("filename", pa.string()), ("bytes", pa.binary())]), filename="x.png"),
    "further field": structs(pa.struct([("bytes", pa.binary()), ("sha", pa.string()), ("path", pa.string())]), sha="1"),
    "no path at all": structs(pa.struct([("bytes", pa.binary()), ("path", pa.null())])),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_encoded_images_of_every_type_are_the_same_images(tmp_path: Path, kind: str) -> None:
    plain = load_path(write(tmp_path / "plain"))
    assert load_path(write(tmp_path / "other", IMAGES[kind])).fingerprint == plain.fingerprint


LABELS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, type=pa.large_string()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "dictionary of large texts": pa.array(TEXTS, type=pa.large_string()).dictionary_encode(),
    "binary": pa.array([text.encode() for text in TEXTS]),
    "large_binary": pa.array([text.encode() for text in TEXTS], type=pa.large_binary()),
}
if hasattr(pa, "string_view"):
    LABELS["string_view"] = pa.array(TEXTS, type=pa.string_view())


@pytest.mark.parametrize("kind", LABELS)
def test_labels_that_are_texts_of_any_type_are_the_same_classes(kind: str) -> None:
    targets, names = read_targets(pa.chunked_array([LABELS[kind]]), None, "the split")
    assert targets.tolist() == NUMBERS
    assert names == ("ant", "bee", "cat")


@pytest.mark.parametrize("kind", ["large_string", "dictionary", "binary"])
def test_labels_of_such_types_are_read_from_files(tmp_path: Path, kind: str) -> None:
    assert load_path(write(tmp_path / "set", labels=LABELS[kind])).train.class_names == ("ant", "bee", "cat")


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.dictionary(pa.int8(), pa.int64())]
)
def test_whole_numbers_of_any_type_are_class_indices(kind: pa.DataType) -> None:
    numbers = pa.array(NUMBERS)
    column = numbers.dictionary_encode() if pa.types.is_dictionary(kind) else numbers.cast(kind)
    targets, names = read_targets(pa.chunked_array([column]), None, "the split")
    assert targets.tolist() == NUMBERS
    assert targets.dtype == torch.int64
    assert names == ("0", "1", "2")


def test_truth_values_are_two_classes() -> None:
    targets, names = read_targets(pa.chunked_array([[True, False, True]]), None, "the split")
    assert (targets.tolist(), names) == ([1, 0, 1], ("0", "1"))


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0.0, 1.5], None, r"1 labels of the split are no whole numbers, as 1\.5"),
        ([[0], [1]], None, "are lists"),
        ([b"\xff\xfe", b"a"], None, "of type binary, expected whole numbers or texts"),
        ([1, None], None, "1 of 2 rows have no label"),
        ([1.0, float("nan")], None, "1 of 2 rows have no label"),
        ([1, 2, 3], ["a", "b", "c"], "go from 1 to 3: .* subtract 1"),
        (["a", "d"], ["a", "b"], "'d' are not among the class names"),
    ],
)
def test_labels_that_mean_no_class_are_refused(labels: list[Any], names: list[str] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_targets(pa.chunked_array([pa.array(labels)]), names, "the split")


def test_labels_from_1_are_refused_with_their_cause(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train split .* go from 1 to 3: they count its 3 classes from 1"):
        load_path(write(tmp_path / "set", labels=pa.array([3, 1, 3, 2])))


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.null()])
def test_missing_labels_are_known_in_every_type(kind: pa.DataType) -> None:
    assert is_unlabelled(plain_labels(pa.chunked_array([pa.nulls(3, kind)]), "the split"))
    for missing in ([-1, -1], ["", ""], [-1, None]):
        assert is_unlabelled(plain_labels(pa.chunked_array([pa.array(missing)]), "the split"))
    assert not is_unlabelled(plain_labels(pa.chunked_array([pa.array([-1, 0, None])]), "the split"))


def test_a_test_split_of_nulls_gives_way_to_the_next(tmp_path: Path) -> None:
    root = write(tmp_path / "set", valid=pa.array(NUMBERS))
    table = pq.read_table(root / "data" / "test.parquet")
    pq.write_table(table.set_column(1, "label", pa.nulls(4, pa.int64())), root / "data" / "test.parquet")
    with pytest.warns(UserWarning, match="Tested on the split .*: test has no labels"):
        assert len(FolderDataset(path=str(root)).load().test) == 4


@pytest.mark.parametrize("columns", [("img", "labels"), ("image_bytes", "label"), ("jpg", "cls")])
def test_columns_are_found_by_the_names_in_use(tmp_path: Path, columns: tuple[str, str]) -> None:
    plain = load_path(write(tmp_path / "plain"))
    assert load_path(write(tmp_path / "other", IMAGES["binary"], columns=columns)).fingerprint == plain.fingerprint


def paths(blobs: list[bytes], prefix: str = "images/") -> pa.Array:
    return pa.array([{"bytes": None, "path": f"{prefix}{row}.png"} for row in range(len(blobs))], type=STRUCT)


def texts(blobs: list[bytes]) -> pa.Array:
    return pa.array([f"images/{row}.png" for row in range(len(blobs))])


@pytest.mark.parametrize("base", ["data", "."])
@pytest.mark.parametrize("column", [paths, texts, lambda blobs: texts(blobs).dictionary_encode()])
def test_paths_are_relative_to_the_file_or_the_dataset_and_never_to_where_a_command_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[Path, int], Path],
    column: Callable[[list[bytes]], pa.Array],
    base: str,
) -> None:
    root = write(tmp_path / "set", column)
    monkeypatch.chdir(draw(tmp_path / "here" / "images" / "0.png", 70).parents[1])
    with pytest.raises(DataError, match=r"row 0 of the train split .*images/0\.png.*: no such file in .*set"):
        load_path(root)
    for row in range(4):
        draw(root / base / "images" / f"{row}.png", row)
    found = load_path(root).train
    plain = load_path(write(tmp_path / "plain")).train
    assert torch.equal(found.canvases(torch.arange(4), 4), plain.canvases(torch.arange(4), 4))
    draw(root / ("." if base == "data" else "data") / "images" / "0.png", 71)
    with pytest.raises(DataError, match="means several files"):
        load_path(root)


def test_texts_that_are_no_paths_are_told_in_short(tmp_path: Path) -> None:
    root = write(tmp_path / "set", lambda blobs: pa.array(["A" * 100_000] * len(blobs)))
    with pytest.raises(DataError, match=r"row 0 of the train split .* \(A{120}\.\.\.\): no such file in") as refused:
        load_path(root)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ([{"dtype": "int64", "_type": "Value"}], "are lists"),
        ("ClassLabel", "are of type|states features|Cannot load"),
    ],
)
def test_old_features_in_the_metadata_end_in_a_sentence(tmp_path: Path, feature: Any, message: str) -> None:
    root = write(tmp_path / "set", labels=pa.array([[number] for number in NUMBERS]))
    for file in (root / "data").iterdir():
        table = pq.read_table(file)
        about = {"info": {"features": {"image": {"_type": "Image"}, "label": feature}}}
        pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), file)
    with pytest.raises(DataError, match=message):
        load_path(root)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (pa.array(NUMBERS), False),
        (pa.array([2.0, 0.0, 2.0, 1.0]), False),
        (pa.array(TEXTS), False),
        (pa.array([1, 0, 1, 2]), True),
        (pa.array(["a", "a", "a", "b"]), True),
        (pa.array([None, 0, 2, 1]), True),
        (pa.array([[2], [0], [2], [1]]), True),
    ],
)
def test_a_second_column_of_labels_is_the_same_or_told(tmp_path: Path, other: pa.Array, told: bool) -> None:
    root = write(tmp_path / "set")
    for file in (root / "data").iterdir():
        pq.write_table(pq.read_table(file).append_column("class_id", other), file)
    found = load_path(root, cache_folder=tmp_path / "cache")
    assert found.train.targets.tolist() == NUMBERS
    note = "Classes are the column 'label'; 'class_id' gives others and is not used."
    assert found.facts.notes == ((note,) if told else ())


@pytest.mark.parametrize(("other", "told"), [([0, 2, 0, 1], False), ([0, 2, 1, 1], True), ([5, 5, 5, 9], True)])
def test_names_and_numbers_are_the_same_where_they_divide_the_rows_alike(
    tmp_path: Path, other: list[int], told: bool
) -> None:
    """Whatever numbers the names have: those of 'c', 'a', 'c', 'b' need not follow the alphabet."""
    root = write(tmp_path / "set", labels=pa.array(["c", "a", "c", "b"]))
    for file in (root / "data").iterdir():
        pq.write_table(pq.read_table(file).append_column("class_id", pa.array(other)), file)
    assert bool(load_path(root).facts.notes) == told


@pytest.mark.parametrize("label", [1_000_000, 1_700_000_000, 2**62])
def test_ids_are_no_class_indices(label: int) -> None:
    with pytest.raises(DataError, match=f"A label of some is {label:,}: .* write them as texts"):
        read_targets(pa.chunked_array([[0, label, 1]]), None, "some")


def test_labels_beyond_the_names_are_counted_and_placed() -> None:
    with pytest.raises(DataError, match=r"2 rows of some have class indices up to 5, .* 3 classes \(0\.\.2\)"):
        read_targets(pa.chunked_array([[0, 5, 3, 1]]), ["a", "b", "c"], "some")
