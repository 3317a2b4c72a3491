"""Writes a compressed set as a folder that ``datasets.load_dataset`` reads, with a card beside it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.compressed.card import CARD
from rethinkdc.compressed.encoding import ROWS, encode_rows, read_files
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError
from rethinkdc.storage import make_folder, new_folder, storing, write_file
from rethinkdc.types import Fit, Interpolation

PARQUET = "data/train-00000-of-00001.parquet"
README = "README.md"


def export_folder(
    compressed: CompressedSet,
    folder: Path,
    *,
    size: int,
    fit: Fit = "squash",
    interpolation: Interpolation = "bilinear",
) -> None:
    """Writes Parquet with lossless PNG images of ``size`` px (columns ``image``, ``class_id``) and ``card.json``.

    Weights, learned labels and the sources of each cell are further columns, where the set has them; a learned student
    rate stands in ``card.json``. The folder appears whole or not at all.

    Raises:
        RequestError: the folder exists already.
        StorageError: it cannot be written.
    """
    features = features_of(compressed)
    with _new_folder(folder) as making:
        images = encode_rows(compressed, size, fit, interpolation)
        _write_parquet(compressed, making / PARQUET, images, features.arrow_schema)
        _write_about(compressed, making / CARD, size)


def publish_folder(stored: CompressedSet, folder: Path, readme: str) -> None:
    """Writes the same of a set whose images are files, which stay as they are, with a ``README.md`` that hubs show.

    ``class_id`` is a plain int32, as in the sets that others publish; ``readme`` declares what its numbers mean.

    Args:
        stored: what :func:`~rethinkdc.compressed.encoding.with_files` gave.
        folder: must not exist.
        readme: the text, which begins with the columns of :func:`features_of`. People may change it afterwards.

    Raises:
        RequestError: the folder exists already.
        StorageError: it cannot be written.
    """
    import pyarrow as pa

    assert stored.size is not None
    declared = features_of(stored).arrow_schema
    # Without what the features add to the schema: a reader would take it for what the file holds.
    plain = pa.schema([pa.field("class_id", pa.int32()) if each.name == "class_id" else each for each in declared])
    with _new_folder(folder, free=(README,)) as making:
        _write_parquet(stored, making / PARQUET, read_files(stored), plain)
        _write_about(stored, making / CARD, stored.size)
        write_file(making / README, readme.encode())


def features_of(compressed: CompressedSet) -> Any:
    """The columns of a set's Parquet file, as ``datasets.Features``."""
    import datasets

    declared = {
        "image": datasets.Image(),
        "class_id": datasets.ClassLabel(names=list(compressed.class_names)),
        "sources": datasets.Sequence(datasets.Value("int64")),
        "source_boxes": datasets.Sequence(datasets.Value("int32")),
        "weight": datasets.Value("float32"),
        "soft_target": datasets.Sequence(datasets.Value("float16")),
    }
    held = {"image", "class_id", *_further_columns(compressed)}
    return datasets.Features({name: feature for name, feature in declared.items() if name in held})


def _further_columns(compressed: CompressedSet) -> dict[str, Tensor]:
    """What a set holds beside images and classes: a row for each image."""
    boxes = compressed.source_boxes
    columns = {
        "sources": compressed.sources,
        "source_boxes": None if boxes is None else boxes.flatten(1),
        "weight": compressed.weights,
        "soft_target": compressed.soft_targets,
    }
    return {name: column for name, column in columns.items() if column is not None}


@contextmanager
def _new_folder(folder: Path, free: Collection[str] = ()) -> Iterator[Path]:
    """A folder to fill, which takes its place when it is whole."""
    if folder.exists():
        raise RequestError(f"{folder} exists already. Choose another --out folder, or remove it first.")
    with new_folder(folder, free) as making:
        yield making


def _write_about(compressed: CompressedSet, path: Path, size: int) -> None:
    """Writes the card, and what no column says."""
    about: dict[str, Any] = {
        "class_names": compressed.class_names,
        "size": size,
        "cell_boxes": compressed.cell_boxes.tolist() if compressed.cells > 1 else None,
        "view_rule": compressed.view_rule.model_dump(mode="json"),
        "card": compressed.card.model_dump(mode="json"),
    }
    if compressed.student_lr is not None:
        about["student_lr"] = compressed.student_lr
    if compressed.numbered:
        about["numbered"] = True
    write_file(path, json.dumps(about, indent=1).encode())


def _write_parquet(compressed: CompressedSet, path: Path, images: Iterator[bytes], schema: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    make_folder(path.parent)
    further = _further_columns(compressed)
    with storing(path):
        writer = pq.ParquetWriter(path, schema)
    try:
        for rows in torch.arange(len(compressed)).split(ROWS):
            columns: dict[str, Any] = {
                "image": [{"bytes": content, "path": None} for content in islice(images, len(rows))],
                "class_id": compressed.targets[rows].tolist(),
            }
            columns |= {name: list(tensor[rows].numpy()) for name, tensor in further.items()}
            table = pa.Table.from_pydict(columns, schema=schema)
            # Not around the rest: what reading images meets is another matter.
            with storing(path):
                writer.write_table(table)
    finally:
        with storing(path):
            writer.close()
