"""Parsers of what lies in datasets and sets as folders: labels beside images, metadata, cards, Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from rethinkdc.compressed.published import import_folder
from rethinkdc.compressed.publishing import export_folder
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.data.blobs import ArrowBlobs
from rethinkdc.data.decode import decode
from rethinkdc.errors import DataError
from rethinkdc.layouts.flat_split import read_flat
from rethinkdc.layouts.hub import load_path
from rethinkdc.layouts.label_lists import read_table
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.labels import read_targets
from rethinkdc.layouts.metadata_split import find_metadata, read_metadata
from rethinkdc.layouts.parquet_columns import read_stated_names
from rethinkdc.layouts.tree_layouts import read_tree
from tests.fuzz.harness import Parser
from tests.fuzz.mutation import mutate_both, mutate_bytes, mutate_json, mutate_tree
from tests.fuzz.pictures import encoded

CLASSES = ("n01440764", "n01443537")
NAMES = tuple(f"val_{number}.png" for number in range(4))


def _images(folder: Path) -> None:
    """Four images in one folder, and two classes of training images."""
    content = encoded("PNG")[0]
    for name in NAMES:
        place = folder / "val" / "images" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for name in CLASSES:
        place = folder / "train" / name / "a.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _kit(folder: Path) -> None:
    _images(folder)
    (folder / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n2\n1\n")


def _is_labelled(path: Path, value: Any) -> None:
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, Labelled):
            assert len(part.blobs) == len(part.targets)
            assert not len(part.targets) or int(part.targets.max()) < len(part.class_names)
            assert not len(part.targets) or int(part.targets.min()) >= 0
            assert all(Path(part.blobs.read(row)).is_file() for row in range(len(part.blobs)))  # type: ignore[arg-type]


def _flat(path: Path) -> Any:
    return read_flat(path.parent / "val", path.parent, CLASSES)


def _tree(path: Path) -> Any:
    return read_tree(path.parent)


def _metadata(path: Path) -> Any:
    file = find_metadata(path.parent, path.parent)
    return file and read_metadata(file, path.parent)


def _described(folder: Path) -> None:
    (folder / "images").mkdir()
    for name in NAMES:
        (folder / "images" / name).write_bytes(encoded("PNG")[0])


def _lists() -> list[bytes]:
    classes = [CLASSES[place % 2] for place in range(len(NAMES))]
    return [
        "\n".join(f"{name}\t{each}\t0\t0\t63\t63" for name, each in zip(NAMES, classes, strict=True)).encode(),
        (
            "ImageId,PredictionString\n"
            + "\n".join(f"{Path(name).stem},{each} 1 2 3 4" for name, each in zip(NAMES, classes, strict=True))
        ).encode(),
        "\n".join(classes).encode(),
        "\n".join(f"{name} {each}" for name, each in zip(NAMES, classes, strict=True)).encode(),
    ]


def _meta_mat() -> list[bytes]:
    from scipy.io import savemat

    held: Any = io.BytesIO()
    synsets = np.array([(1, CLASSES[0]), (2, CLASSES[1])], dtype=[("ILSVRC2012_ID", "i4"), ("WNID", "O")])
    savemat(held, {"synsets": synsets})
    packed: Any = io.BytesIO()
    savemat(packed, {"synsets": synsets}, do_compression=True)
    return [held.getvalue(), packed.getvalue()]


_ROWS = [{"file_name": f"images/{name}", "label": place % 2, "split": "a"} for place, name in enumerate(NAMES)]


def _metadata_csv() -> list[bytes]:
    lines = [",".join(map(str, row.values())) for row in _ROWS]
    return ["\n".join(["file_name,label,split", *lines]).encode()]


def _metadata_jsonl() -> list[bytes]:
    return ["\n".join(map(json.dumps, _ROWS)).encode()]


def _mutate_lines(seed: bytes, draw: Random) -> bytes:
    lines = seed.split(b"\n")
    place = draw.randrange(len(lines))
    return b"\n".join([*lines[:place], mutate_json(lines[place], draw), *lines[place + 1 :]])


def _metadata_parquet() -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_ROWS), held)
    return [held.getvalue()]


_FEATURES = {
    "info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}
}


def _stated() -> list[bytes]:
    return [json.dumps(_FEATURES).encode(), json.dumps({"info": {"features": {"label": {"dtype": "int64"}}}}).encode()]


def _read_stated(path: Path) -> Any:
    """The features that Parquet files state, around which the file is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = path.with_suffix(".parquet")
    file.unlink(missing_ok=True)
    schema = pa.schema([("label", pa.int64())], metadata={b"huggingface": path.read_bytes()})
    pq.write_table(pa.table({"label": [0, 1]}, schema=schema), file)
    return read_stated_names([str(file)], "the train split")


def _are_names(path: Path, value: Any) -> None:
    assert value is None or (value and all(isinstance(name, str) for name in value))


def _columns() -> list[bytes]:
    return [
        json.dumps(one).encode()
        for one in ([0, 1, 1, 0], ["cat", "dog", "cat", "dog"], [0.0, 1.0, 1.0, 0.0], [True, False])
    ]


def _read_column(path: Path) -> Any:
    import pyarrow as pa

    values = json.loads(path.read_bytes())
    try:
        column = pa.chunked_array([pa.array(values)])
    except Exception as error:
        raise DataError(f"{path} is no column.") from error
    return values, read_targets(column, None, str(path))


def _are_targets(path: Path, value: Any) -> None:
    values, (targets, names) = value
    assert len(targets) == len(values)
    assert 0 <= int(targets.min()) <= int(targets.max()) < len(names)
    if all(isinstance(one, str) for one in values):
        assert [names[index] for index in targets.tolist()] == values


def _mutate_column(seed: bytes, draw: Random) -> bytes:
    changed = mutate_tree(json.loads(seed), draw)
    return json.dumps(changed if isinstance(changed, list) else [changed]).replace("NaN", "null").encode()


def _arrow_images() -> list[bytes]:
    row = {"bytes": encoded("PNG")[0].hex(), "path": "a.png", "label": 0}
    return [json.dumps([row, {**row, "label": 1}]).encode()]


def _read_arrow(path: Path) -> Any:
    """Rows of images as Parquet has them: bytes, paths, or neither."""
    import pyarrow as pa

    rows = json.loads(path.read_bytes())
    try:
        images = [{"bytes": row["bytes"] and bytes.fromhex(row["bytes"]), "path": row["path"]} for row in rows]
        column = pa.chunked_array([pa.array(images)])
    except Exception as error:
        raise DataError(f"{path} is no column.") from error
    blobs = ArrowBlobs(column, str(path), [path.parent])
    return [decode(blobs.read(row), where=blobs.where(row)) for row in range(len(blobs))]


def _mutate_rows(seed: bytes, draw: Random) -> bytes:
    return json.dumps(mutate_tree(json.loads(seed), draw)).encode()


@cache
def _published() -> dict[str, bytes]:
    """The files of a set as they are published."""
    import tempfile

    pixels = torch.arange(4 * 3 * 8 * 8, dtype=torch.uint8).view(4, 3, 8, 8)
    part = {"canvases": pixels, "targets": torch.tensor([0, 0, 1, 1])}
    with tempfile.TemporaryDirectory() as folder:
        export_folder(CompressedSet.of_canvases([part], ("cat", "dog")), Path(folder) / "set", size=8)
        return {
            file.relative_to(Path(folder) / "set").as_posix(): file.read_bytes()
            for file in sorted((Path(folder) / "set").rglob("*"))
            if file.is_file()
        }


def _publish(folder: Path) -> None:
    for name, content in _published().items():
        if name != "manifest.json":
            (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "set" / name).write_bytes(content)


def _parquet_name() -> str:
    return next(name for name in _published() if name.endswith(".parquet"))


def _import_set(path: Path) -> CompressedSet:
    folder = next(each for each in path.parents if each.name == "set")
    return import_folder(folder, folder.parent / "cache")


def _is_set(path: Path, value: CompressedSet) -> None:
    assert len(value) == len(value.targets) > 0
    assert 0 <= int(value.targets.min()) <= int(value.targets.max()) < len(value.class_names)
    assert value.card.model_dump_json()
    assert value.canvases(torch.arange(len(value)), value.size or 8).shape[0] == len(value)


def _seeds_of(name: str) -> Callable[[], list[bytes]]:
    return lambda: [_published()[name]]


def _datasets() -> dict[str, list[bytes]]:
    """Parquet with a train and a test split, and the page beside it that the hub's library reads."""
    page = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
---
# A dataset
"""
    bomb = "---\nconfigs: &a [x, x]\n" + "".join(
        f"{chr(98 + place)}: &{chr(98 + place)} [{', '.join([f'*{chr(97 + place)}'] * 9)}]\n" for place in range(9)
    )
    return {"page": [page.encode(), page.encode(), f"{bomb}---\n".encode()][:2], "bomb": [f"{bomb}---\n".encode()]}


def _rows_of_images() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"image": {"bytes": encoded("PNG")[0], "path": None}, "label": place % 2} for place in range(4)]
    held = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), held)
    return held.getvalue()


def _write_dataset(folder: Path) -> None:
    (folder / "set" / "data").mkdir(parents=True)
    for split in ("train", "test"):
        (folder / "set" / "data" / f"{split}-00000-of-00001.parquet").write_bytes(_rows_of_images())


def _load(path: Path) -> Any:
    folder = next(each for each in path.parents if each.name == "set")
    return load_path(folder, cache_folder=folder.parent / "cache")


def _are_splits(path: Path, value: Any) -> None:
    for part in (value.train, value.test):
        assert 0 <= int(part.targets.min()) <= int(part.targets.max()) < len(part.class_names)


def _page(seed: bytes, draw: Random) -> bytes:
    return _datasets()["bomb"][0] if draw.random() < 0.02 else mutate_bytes(seed, draw)


PARSERS = (
    Parser(
        "dataset of Parquet",
        "set/data/train-00000-of-00001.parquet",
        lambda: [_rows_of_images()],
        _load,
        agree=_are_splits,
        prepare=_write_dataset,
        tells=True,
        costly=True,
    ),
    Parser(
        "page of a dataset",
        "set/README.md",
        lambda: _datasets()["page"],
        _load,
        _page,
        _are_splits,
        _write_dataset,
        tells=True,
        costly=True,
    ),
    Parser(
        "Parquet of a set",
        "set/data/train-00000-of-00001.parquet",
        lambda: [_published()[_parquet_name()]],
        _import_set,
        agree=_is_set,
        prepare=_publish,
        tells=True,
        costly=True,
    ),
    Parser("table of labels", "labels.txt", _lists, read_table),
    Parser(
        "labels of a flat split", "val_annotations.txt", _lists, _flat, agree=_is_labelled, prepare=_images, named=False
    ),
    Parser("labels of a tree", "LOC_val_solution.csv", _lists, _tree, agree=_is_labelled, prepare=_images, named=False),
    Parser("meta.mat", "meta.mat", _meta_mat, _flat, agree=_is_labelled, prepare=_kit),
    Parser("metadata.csv", "metadata.csv", _metadata_csv, _metadata, agree=_is_labelled, prepare=_described),
    Parser(
        "metadata.jsonl",
        "metadata.jsonl",
        _metadata_jsonl,
        _metadata,
        mutate_both(_mutate_lines, mutate_bytes),
        _is_labelled,
        _described,
    ),
    Parser(
        "metadata.parquet", "metadata.parquet", _metadata_parquet, _metadata, agree=_is_labelled, prepare=_described
    ),
    Parser(
        "features of Parquet",
        "features.json",
        _stated,
        _read_stated,
        mutate_both(mutate_json, mutate_bytes),
        _are_names,
    ),
    Parser("column of labels", "column.json", _columns, _read_column, _mutate_column, _are_targets),
    Parser("column of images", "column.json", _arrow_images, _read_arrow, _mutate_rows),
    Parser(
        "card of a set",
        "set/card.json",
        _seeds_of("card.json"),
        _import_set,
        mutate_both(mutate_json, mutate_bytes, 0.8),
        _is_set,
        _publish,
        tells=True,
    ),
)
"""What opens no dataset of the hub's library, but for the card of a set."""
