"""Folders and datasets as they are found on disk."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from rethinkdc.data import DecodedImages, EncodedImages, Schema, Splits, schema_of
from rethinkdc.data.blobs import ArrowBlobs, PathBlobs
from rethinkdc.errors import DataError
from rethinkdc.layouts import FolderDataset, HubDataset
from rethinkdc.layouts.hub import from_datasets, load_hub, load_path
from rethinkdc.storage import read_sealed


@pytest.fixture(autouse=True)
def own_datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written outside the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")


def png(value: int, size: tuple[int, int] = (6, 5)) -> bytes:
    """A noisy image that differs for every value."""
    file = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_tree(root: Path, splits: dict[str, dict[str, list[int]]]) -> Path:
    for split, classes in splits.items():
        for name, values in classes.items():
            (root / split / name).mkdir(parents=True)
            for value in values:
                (root / split / name / f"{value:03}.png").write_bytes(png(value))
    return root


def write_parquet(
    root: Path,
    splits: dict[str, tuple[list[int], list[Any]]],
    names: dict[str, list[str]] | None = None,
    columns: tuple[str, str] = ("image", "label"),
    label_type: pa.DataType | None = None,
) -> Path:
    (root / "data").mkdir(parents=True)
    for split, (values, labels) in splits.items():
        images = [{"bytes": png(value), "path": None} for value in values]
        struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table(
            {columns[0]: pa.array(images, type=struct), columns[1]: pa.array(labels, type=label_type or pa.int64())}
        )
        features: dict[str, Any] = {columns[0]: {"_type": "Image"}}
        if names:
            features[columns[1]] = {"names": names[split], "_type": "ClassLabel"}
        else:
            features[columns[1]] = {"dtype": str(table.schema.field(columns[1]).type), "_type": "Value"}
        info = {"huggingface": json.dumps({"info": {"features": features}})}
        pq.write_table(table.replace_schema_metadata(info), root / "data" / f"{split}-00000-of-00001.parquet")
    return root


TREE = {"train": {"cat": [1, 2], "ant": [3]}, "test": {"ant": [4], "cat": [5]}}
NAMES = ["ant", "cat"]


def test_an_image_tree_is_read_sorted_by_class_and_file(tmp_path: Path) -> None:
    splits = load_path(write_tree(tmp_path / "tree", TREE))
    assert splits.train.class_names == splits.test.class_names == ("ant", "cat")
    assert splits.train.targets.tolist() == [0, 1, 1]
    expected = [np.array(Image.open(io.BytesIO(png(value)))) for value in (3, 1, 2)]
    for image, pixels in zip(splits.train.native(torch.arange(3)), expected, strict=True):
        assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))


def test_files_in_folders_below_a_class_belong_to_it_and_other_files_to_none(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    (root / "train" / "ant" / "images").mkdir()
    (root / "train" / "ant" / "images" / "deep.PNG").write_bytes(png(9))
    (root / "train" / "ant" / "notes.txt").write_text("no image")
    (root / "train" / "ant" / ".hidden.png").write_bytes(b"")
    assert load_path(root).train.targets.tolist() == [0, 0, 1, 1]


def test_a_parquet_folder_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    root = write_parquet(
        tmp_path / "set",
        {"train": ([3, 1, 2], [0, 1, 1]), "test": ([4, 5], [0, 1])},
        dict.fromkeys(("train", "test"), NAMES),
    )
    splits = load_path(root, cache_folder=tmp_path / "cache")
    assert splits.train.class_names == ("ant", "cat")
    assert schema_of(splits) == Schema(classes=2, train=3, test=2)
    assert list((tmp_path / "cache" / "datasets").rglob("*.arrow"))
    assert not (tmp_path / "hf").exists()


def test_the_same_content_has_the_same_fingerprint_in_a_tree_and_in_parquet(tmp_path: Path) -> None:
    tree = load_path(write_tree(tmp_path / "tree", TREE))
    parquet = load_path(
        write_parquet(
            tmp_path / "set",
            {"train": ([3, 1, 2], [0, 1, 1]), "test": ([4, 5], [0, 1])},
            dict.fromkeys(("train", "test"), NAMES),
        )
    )
    assert tree.fingerprint == parquet.fingerprint


@pytest.mark.parametrize("test_name", ["test", "val", "validation", "valid"])
def test_every_known_name_of_the_test_split_is_found(tmp_path: Path, test_name: str) -> None:
    tree = write_tree(tmp_path / "tree", {"train": TREE["train"], test_name: TREE["test"]})
    assert len(load_path(tree).test) == 2


def test_the_classes_of_the_test_split_are_mapped_by_name(tmp_path: Path) -> None:
    root = write_parquet(
        tmp_path / "set",
        {"train": ([1, 2], [0, 1]), "test": ([3, 4, 5], [0, 1, 1])},
        {"train": ["ant", "cat"], "test": ["cat", "ant"]},
    )
    splits = load_path(root)
    assert splits.test.class_names == ("ant", "cat")
    assert splits.test.targets.tolist() == [1, 0, 0]


def test_files_of_one_split_that_order_their_classes_differently_are_an_error(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [0, 1])}
    root = write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES))
    other = write_parquet(tmp_path / "other", rows, dict.fromkeys(rows, NAMES[::-1]))
    data = root / "data"
    (data / "train-00000-of-00001.parquet").rename(data / "train-00000-of-00002.parquet")
    (other / "data" / "train-00000-of-00001.parquet").rename(data / "train-00001-of-00002.parquet")
    with pytest.raises(DataError, match=r"train split .*different class names"):
        load_path(root)


def test_different_classes_are_an_error_naming_both_sides(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"train": {"ant": [1], "cat": [2]}, "test": {"ant": [3], "dog": [4]}})
    with pytest.raises(DataError, match=r"Only in .*train: 'cat'\. Only in .*test: 'dog'"):
        load_path(tree)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_without_images_is_an_error_naming_it_and_the_split(tmp_path: Path, split: str) -> None:
    splits = {"train": {"ant": [1], "cat": [2]}, "test": {"ant": [3], "cat": [4]}}
    splits[split]["cat"] = []
    with pytest.raises(DataError, match=rf"no images in the split .*{split}: 'cat'"):
        load_path(write_tree(tmp_path / "tree", splits))


def test_a_class_without_rows_is_an_error_naming_it(tmp_path: Path) -> None:
    root = write_parquet(
        tmp_path / "set",
        {"train": ([1, 2], [0, 0]), "test": ([3, 4], [0, 1])},
        dict.fromkeys(("train", "test"), NAMES),
    )
    with pytest.raises(DataError, match=r"train split .*'cat'"):
        load_path(root)


def test_class_ids_without_names_are_named_by_their_number(tmp_path: Path) -> None:
    rows = {"train": ([1, 2, 3], [2, 0, 1]), "test": ([4, 5, 6], [0, 1, 2])}
    root = write_parquet(tmp_path / "set", rows, columns=("image", "class_id"), label_type=pa.int32())
    splits = load_path(root)
    assert splits.train.class_names == ("0", "1", "2")
    assert splits.train.targets.tolist() == [2, 0, 1]
    assert splits.train.targets.dtype == torch.int64


def test_labels_that_are_texts_are_sorted_into_classes(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], ["cat", "ant"]), "test": ([3, 4], ["ant", "cat"])}
    splits = load_path(write_parquet(tmp_path / "set", rows, label_type=pa.string()))
    assert splits.train.class_names == ("ant", "cat")
    assert splits.train.targets.tolist() == [1, 0]


def test_a_test_split_without_labels_gives_way_to_the_validation_split(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [-1, -1]), "validation": ([5, 6, 7], [0, 1, 1])}
    root = write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES))
    assert len(load_path(root).test) == 3


def test_only_unlabelled_test_splits_are_an_error_naming_them(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [-1, -1])}
    with pytest.raises(DataError, match="without labels: test"):
        load_path(write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES)))


def test_a_row_without_a_label_is_an_error_naming_it(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, -1]), "test": ([3, 4], [0, 1])}
    with pytest.raises(DataError, match="Row 1 of the train split"):
        load_path(write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES)))


def test_rows_of_a_shuffled_dataset_follow_its_order(tmp_path: Path) -> None:
    root = write_parquet(
        tmp_path / "set",
        {"train": ([1, 2, 3], [0, 1, 1]), "test": ([4, 5], [0, 1])},
        dict.fromkeys(("train", "test"), NAMES),
    )
    loaded = datasets.load_dataset(str(root))
    plain = from_datasets(loaded, where="plain")
    loaded["train"] = loaded["train"].select([2, 0])
    chosen = from_datasets(loaded, where="chosen")
    assert chosen.train.targets.tolist() == [1, 0]
    assert torch.equal(chosen.train.native(torch.tensor([0]))[0], plain.train.native(torch.tensor([2]))[0])


def test_columns_that_are_not_known_are_an_error_naming_those_found(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [0, 1])}
    with pytest.raises(DataError, match="it has picture, label"):
        load_path(write_parquet(tmp_path / "set", rows, columns=("picture", "label")))


def test_an_image_column_without_images_is_an_error_naming_its_type() -> None:
    with pytest.raises(DataError, match="int64"):
        ArrowBlobs(pa.chunked_array([[1, 2]]), "the train split")


def test_a_truncated_file_of_a_tree_is_named_by_its_path(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    (root / "train" / "cat" / "002.png").write_bytes(png(2)[:40])
    with pytest.raises(DataError, match=r"train/cat/002\.png"):
        load_path(root)
    encoded = load_path(root, backing="encoded")
    with pytest.raises(DataError, match=r"train/cat/002\.png"):
        encoded.train.canvases(torch.arange(3), 4)


def test_a_damaged_row_of_a_parquet_folder_is_named_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = png
    monkeypatch.setattr(sys.modules[__name__], "png", lambda value: whole(value)[: 40 if value == 2 else None])
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [0, 1])}
    root = write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES))
    with pytest.raises(DataError, match="row 1 of the train split"):
        load_path(root)


def test_a_missing_folder_and_a_file_are_errors_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_path(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="it is a file"):
        load_path(tmp_path / "file")


def test_folders_below_folders_are_an_error_naming_the_known_layouts(tmp_path: Path) -> None:
    for name in ("ant", "cat"):
        (tmp_path / "tree" / name / "more").mkdir(parents=True)
        (tmp_path / "tree" / name / "more" / "1.png").write_bytes(png(1))
    with pytest.raises(DataError, match=r"holds ant, cat\. Known layouts: .*train/CLASS/FILE"):
        load_path(tmp_path / "tree")


def test_a_damaged_parquet_file_is_an_error_naming_it(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(DataError, match=r"Cannot read .*train\.parquet as Parquet"):
        load_path(tmp_path / "set")


def test_a_hub_dataset_without_network_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset_builder", unreachable)
    with pytest.raises(DataError, match=r"Couldn't reach the Hub\..*Fetch it while .*--dataset FOLDER"):
        load_hub("owner/name")


def test_remote_code_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    config = SimpleNamespace(data_files=None)

    def recorded(*_: object, **options: object) -> None:
        given.update(options)
        raise ConnectionError

    for name in ("load_dataset_builder", "load_dataset"):
        given.clear()
        with monkeypatch.context() as patched:
            patched.setattr(datasets, "load_dataset_builder", lambda *_, **__: SimpleNamespace(config=config))
            patched.setattr(datasets, name, recorded)
            with pytest.raises(DataError):
                load_hub("owner/name")
        assert given == {"cache_dir": None}


def test_an_unchanged_folder_is_identified_without_reading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = FolderDataset(path=str(write_tree(tmp_path / "tree", TREE)))
    cache = tmp_path / "cache"
    first = dataset.identify(cache)
    assert first == (dataset.load(cache).fingerprint, Schema(classes=2, train=3, test=2))

    def unread(*_: object) -> Splits:
        raise AssertionError("the dataset was read")

    monkeypatch.setattr(FolderDataset, "_read", unread)
    assert dataset.identify(cache) == first
    assert dataset.load(cache).fingerprint == first[0]
    with pytest.raises(AssertionError, match="was read"):
        dataset.identify(None)


def test_a_dangling_link_is_an_error_naming_it(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    (root / "train" / "ant" / "lost.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"train/ant/lost\.png"):
        FolderDataset(path=str(root)).identify(tmp_path / "cache")


def test_a_changed_folder_is_read_again(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    dataset, cache = FolderDataset(path=str(root)), tmp_path / "cache"
    before = dataset.identify(cache)[0]
    (root / "train" / "ant" / "003.png").write_bytes(png(77))
    changed = dataset.identify(cache)[0]
    assert changed != before
    assert dataset.load(cache).fingerprint == changed
    (root / "train" / "ant" / "004.png").write_bytes(png(78))
    assert dataset.identify(cache)[1].train == 4


def test_identifying_twice_imports_datasets_once(tmp_path: Path) -> None:
    rows = {"train": ([1, 2], [0, 1]), "test": ([3, 4], [0, 1])}
    root = write_parquet(tmp_path / "set", rows, dict.fromkeys(rows, NAMES))
    code = (
        "import sys; from pathlib import Path; from rethinkdc.layouts import FolderDataset;"
        f"d = FolderDataset(path={str(root)!r}); c = Path({str(tmp_path / 'cache')!r});"
        "print(d.identify(c)[0], d.load(c).fingerprint, 'datasets' in sys.modules)"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert outputs[0][2] == "True"
    assert outputs[1][2] == "False"
    assert len({*outputs[0][:2], *outputs[1][:2]}) == 1


def test_both_backings_of_a_folder_have_one_fingerprint_and_the_same_pixels(tmp_path: Path) -> None:
    dataset, cache = FolderDataset(path=str(write_tree(tmp_path / "tree", TREE))), tmp_path / "cache"
    decoded, encoded = dataset.load(cache), dataset.load(cache, "encoded")
    assert isinstance(decoded.train, DecodedImages)
    assert isinstance(encoded.train, EncodedImages)
    assert decoded.fingerprint == encoded.fingerprint
    rows = torch.arange(3)
    assert torch.equal(decoded.train.canvases(rows, 4), encoded.train.canvases(rows, 4))


def test_a_damaged_book_is_written_again(tmp_path: Path) -> None:
    dataset, cache = FolderDataset(path=str(write_tree(tmp_path / "tree", TREE))), tmp_path / "cache"
    first = dataset.identify(cache)
    (entry,) = (cache / "fingerprints").iterdir()
    whole = entry.read_bytes()
    spoiled = [whole[: len(whole) // 2], b"", *(flip(whole, place) for place in range(3))]
    for content in [*spoiled, read_sealed(entry)]:
        entry.write_bytes(content)
        assert dataset.identify(cache) == first
        assert entry.read_bytes() == whole
    assert json.loads(read_sealed(entry))["layout"] == {"classes": 2, "train": 3, "test": 2}


def flip(content: bytes, place: int) -> bytes:
    """With one hex digit of a fingerprint changed."""
    at = content.index(b'"train": "') + len(b'"train": "') + place
    return content[:at] + (b"0" if content[at : at + 1] != b"0" else b"1") + content[at + 1 :]


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_pixels_changed_under_the_same_size_and_time_are_seen(tmp_path: Path, how: str) -> None:
    root, cache = write_tree(tmp_path / "tree", TREE), tmp_path / "cache"
    dataset = FolderDataset(path=str(root))
    before, place = dataset.identify(cache)[0], root / "train" / "ant" / "000.bmp"
    place.write_bytes(bmp(1))
    first = dataset.identify(cache)[0]
    assert first != before
    about = place.stat()
    if how == "in place":
        place.write_bytes(bmp(2))
    else:
        other = tmp_path / "other.bmp"
        other.write_bytes(bmp(2))
        other.replace(place)
    os.utime(place, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (place.stat().st_size, place.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    changed = dataset.identify(cache)[0]
    assert changed != first
    assert dataset.load(cache).fingerprint == changed


def bmp(value: int) -> bytes:
    """Of one size whatever it shows."""
    held = io.BytesIO()
    Image.new("RGB", (6, 5), (value, 0, 0)).save(held, "BMP")
    return held.getvalue()


@pytest.mark.parametrize("harm", ["changed", "gone", "more"])
def test_files_that_change_while_they_are_read_are_told_of(tmp_path: Path, harm: str) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    splits = FolderDataset(path=str(root)).load(tmp_path / "cache", "encoded")
    splits.check_unchanged()
    first = next(path for path in sorted((root / "train").rglob("*")) if path.is_file())
    if harm == "gone":
        first.unlink()
    else:
        (first if harm == "changed" else first.with_name("more.png")).write_bytes(png(99))
    with pytest.raises(DataError, match="changed while they were read"):
        splits.check_unchanged()


def test_what_lies_in_memory_does_not_change(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", TREE)
    splits = FolderDataset(path=str(root)).load(tmp_path / "cache")
    next(path for path in sorted((root / "train").rglob("*")) if path.is_file()).unlink()
    splits.check_unchanged()


def test_a_hub_dataset_is_signed_by_its_one_downloaded_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "arrow"))
    dataset = HubDataset(repo="owner/name")
    assert dataset.signature() is None
    copies = [tmp_path / "arrow" / "owner___name" / "default" / "0.0.0" / key for key in ("aaa", "bbb")]
    for copy in copies:
        copy.mkdir(parents=True)
        (copy / "dataset_info.json").write_text("{}")
        if copy is copies[0]:
            assert dataset.signature() is not None
    assert dataset.signature() is None


def test_paths_are_held_in_a_few_bytes_each() -> None:
    count = 50_000
    names = [f"n01440764_{row:06}.JPEG" for row in range(count)]
    before = pa.total_allocated_bytes()
    blobs = PathBlobs([(Path("a"), names[:20_000]), (Path("b"), []), (Path("c"), names[20_000:])])
    assert (pa.total_allocated_bytes() - before) / count < 40
    assert len(blobs) == count
    assert [blobs.read(row) for row in (0, 19_999, 20_000, count - 1)] == [
        Path("a") / names[0],
        Path("a") / names[19_999],
        Path("c") / names[20_000],
        Path("c") / names[-1],
    ]
    with pytest.raises(IndexError, match="50000"):
        blobs.read(count)
