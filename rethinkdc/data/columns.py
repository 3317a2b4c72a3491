"""What the columns of a Hugging Face dataset mean: images, class indices and class names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.data.blobs import ArrowBlobs
from rethinkdc.data.labelled import Labelled
from rethinkdc.errors import DataError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label", "class_id")


def read_split(dataset: Any, label: str, class_names: tuple[str, ...] | None = None) -> Labelled:
    """Reads one ``datasets.Dataset`` without decoding or copying its images.

    Args:
        dataset: one split.
        label: names the split in errors.
        class_names: what the integer labels mean; None = what the dataset's features say.

    Raises:
        DataError: a column is missing or of the wrong type, or a label is missing.
    """
    if dataset._indices is not None:
        dataset = dataset.flatten_indices()
    image = find_column_name(dataset, IMAGE_COLUMNS, label)
    target = find_column_name(dataset, LABEL_COLUMNS, label)
    stated = class_names or getattr(dataset.features[target], "names", None)
    targets, names = _read_targets(dataset.data.column(target), stated, label)
    return Labelled(ArrowBlobs(dataset.data.column(image), label), targets, names, label)


def read_stated_names(files: Sequence[str], label: str) -> tuple[str, ...] | None:
    """Reads the class names that local Parquet files themselves state, in the order of their labels; None = none do.

    Raises:
        DataError: the files of one split state different names.
    """
    stated = {names: file for file in files if (names := _read_names(Path(file))) is not None}
    if len(stated) > 1:
        raise DataError(
            f"The files of {label} state different class names or orders: {', '.join(map(str, stated.values()))}. "
            "Their labels cannot be told apart; write them again with one ClassLabel."
        )
    return next(iter(stated), None)


def find_column_name(dataset: Any, known: tuple[str, ...], label: str) -> str:
    """Finds the first of ``known`` that the dataset has.

    Raises:
        DataError: it has none; names those it has.
    """
    for name in known:
        if name in dataset.column_names:
            return name
    raise DataError(f"No column {' or '.join(known)} in {label}; it has {', '.join(dataset.column_names)}.")


def _read_targets(column: Any, names: Sequence[str] | None, label: str) -> tuple[Tensor, tuple[str, ...]]:
    """Reads class indices int64 [N] and names: those stated, else the distinct texts sorted, else ``str(index)``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(column):
        raise DataError(f"There are no images in {label}.")
    if column.null_count:
        raise DataError(f"{column.null_count} of {len(column)} rows have no label in {label}.")
    if names is None and pa.types.is_string(column.type):
        names = sorted(pc.unique(column).to_pylist())
        column = pc.index_in(column, value_set=pa.array(names, type=column.type))
    if not pa.types.is_integer(column.type):
        raise DataError(f"The labels of {label} are of type {column.type}, expected integers or texts.")
    targets = _copy_int64(column)
    if int(targets.min()) < 0:
        row = int((targets < 0).nonzero()[0])
        raise DataError(f"Row {row} of {label} has the label {int(targets[row])}: it has none. Remove such rows.")
    if names is None:
        names = [str(index) for index in range(int(targets.max()) + 1)]
    return targets, tuple(names)


def _copy_int64(column: Any) -> Tensor:
    """Copies an integer column chunk by chunk: nothing but the result grows with the rows."""
    values = torch.empty(len(column), dtype=torch.int64)
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    first = 0
    for chunk in chunks:
        values[first : first + len(chunk)] = torch.from_numpy(chunk.to_numpy(zero_copy_only=False).astype("int64"))
        first += len(chunk)
    return values


def _read_names(file: Path) -> tuple[str, ...] | None:
    import pyarrow.parquet as pq

    if file.suffix != ".parquet":
        return None
    metadata = pq.read_schema(file).metadata or {}
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    column = next((name for name in LABEL_COLUMNS if name in features), None)
    names = features[column].get("names") if column else None
    return tuple(names) if names else None
