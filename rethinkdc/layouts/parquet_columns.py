"""What the columns of a Hugging Face dataset mean: images, class indices and class names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.data.blobs import ArrowBlobs
from rethinkdc.documents import parse_json
from rethinkdc.errors import DataError
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.labels import holds_texts, is_unlabelled, plain_labels, read_targets

IMAGE_COLUMNS = ("image", "img", "images", "image_bytes", "jpg", "jpeg", "png")
LABEL_COLUMNS = ("label", "fine_label", "class_id", "labels", "cls")


def read_split(
    dataset: Any, label: str, class_names: tuple[str, ...] | None = None, bases: Sequence[Path] = ()
) -> Labelled:
    """Reads one ``datasets.Dataset`` without decoding or copying its images.

    Args:
        dataset: one split.
        label: names the split in errors.
        class_names: what the integer labels mean; None = what the dataset's features say.
        bases: the folders that paths in the image column may be relative to.

    Raises:
        DataError: a column is missing or of the wrong type, or a label is missing.
    """
    if dataset._indices is not None:
        dataset = dataset.flatten_indices()
    image = find_column_name(dataset, IMAGE_COLUMNS, label)
    target = find_column_name(dataset, LABEL_COLUMNS, label)
    stated = class_names or getattr(dataset.features[target], "names", None)
    if stated is not None and not all(isinstance(name, str) for name in stated):
        raise DataError(
            f"The features of {label} name classes by what is no text: {list(stated)}. Write names as texts."
        )
    column = dataset.data.column(target)
    targets, names = read_targets(column, stated, label)
    return Labelled(
        ArrowBlobs(dataset.data.column(image), label, bases),
        targets,
        names,
        label,
        notes=tuple(
            f"Classes are the column {target!r}; {other!r} gives others and is not used."
            for other in contradicting_columns(dataset, targets, label)
        ),
        numbered=stated is None and not holds_texts(column),
    )


def contradicting_columns(dataset: Any, targets: Tensor, label: str) -> list[str]:
    """The further columns of labels that give rows other classes than ``targets``, int64 [N] of the first, does."""
    first, *others = [name for name in LABEL_COLUMNS if name in dataset.column_names]
    column = dataset.data.column(first)
    return [name for name in others if not _same_classes(targets, column, dataset.data.column(name), label)]


def _same_classes(targets: Tensor, column: Any, other: Any, label: str) -> bool:
    """Whether both give rows the same numbers; or, where one holds names, divide the rows alike."""
    try:
        indices, _ = read_targets(other, None, label)
    except DataError:  # lists, numbers that are no classes, rows without a label
        return False
    if not holds_texts(column) and not holds_texts(other):
        return torch.equal(indices, targets)
    pairs = int(torch.stack([targets, indices]).unique(dim=1).shape[1])
    return pairs == len(targets.unique()) == len(indices.unique())


def has_no_labels(dataset: Any, label: str) -> bool:
    """Whether no row of a split has a label, as in test splits that are published without.

    Raises:
        DataError: the split has no column of labels, or one that can hold none.
    """
    column = dataset.data.column(find_column_name(dataset, LABEL_COLUMNS, label))
    return is_unlabelled(plain_labels(column, label))


def read_stated_names(files: Sequence[str], label: str) -> tuple[str, ...] | None:
    """Reads the class names that local Parquet files themselves state, in the order of their labels; None = none do.

    Raises:
        DataError: the files of one split state different names.
    """
    stated = {names: file for file in files if (names := _read_names(Path(file), label)) is not None}
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


def _read_names(file: Path, label: str) -> tuple[str, ...] | None:
    import pyarrow.parquet as pq

    if file.suffix != ".parquet":
        return None
    metadata = pq.read_schema(file).metadata or {}
    try:
        features = parse_json(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        column = next((name for name in LABEL_COLUMNS if name in features), None)
        feature = features[column] if column else {}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"The file {file} of {label} states features that cannot be read ({type(error).__name__}: {error}). Write "
            "it again, without the metadata `huggingface`."
        ) from error
    if isinstance(feature, list):
        raise DataError(
            f"The labels of {label} are lists: {file} states the feature {json.dumps(feature)} for the column "
            f"{column}. Each image needs one class; write one number or text for each row."
        )
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) and names else None
