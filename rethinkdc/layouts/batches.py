"""CIFAR as it is published: the batches for Python, and the binary ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError
from rethinkdc.files.plain_pickles import MOST_BYTES, read_plain_pickle
from rethinkdc.notes import Facts
from rethinkdc.storage import read_regular

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_TRAIN, _TEST = 50_000, 10_000
_SHOWN = 8
_LARGEST = 1 << 31
_Batch = tuple[NDArray[np.uint8], Tensor]
"""Pixels uint8 [N, 3072] and labels int64 [N]."""


@dataclass(frozen=True)
class Layout:
    """One published form.

    Attributes:
        folder: what its archive unpacks to.
        train: files of the training images, in their order.
        test: file of the test images.
        names: file of the class names.
        labels: the key of the labels, or the place of the label among those before each image's pixels.
        before: labels before each image's pixels, in the binary form; 0 = a pickle.
    """

    folder: str
    train: tuple[str, ...]
    test: str
    names: str
    labels: str | int
    before: int = 0


_FIVE = tuple(f"data_batch_{index}" for index in range(1, 6))
LAYOUTS = (
    Layout("cifar-10-batches-py", _FIVE, "test_batch", "batches.meta", "labels"),
    Layout("cifar-100-python", ("train",), "test", "meta", "fine_labels"),
    Layout(
        "cifar-10-batches-bin",
        tuple(f"{name}.bin" for name in _FIVE),
        "test_batch.bin",
        "batches.meta.txt",
        0,
        before=1,
    ),
    Layout("cifar-100-binary", ("train.bin",), "test.bin", "fine_label_names.txt", 1, before=2),
)


@dataclass(frozen=True)
class Batches:
    """A folder of batches that was found, and its form."""

    folder: Path
    layout: Layout


def find_batches(folder: Path) -> Batches | None:
    """Finds CIFAR's batches in a folder or one level below it; None = there are none.

    Raises:
        DataError: there are several datasets to choose from.
    """
    known = {layout.folder: layout for layout in LAYOUTS}
    if folder.name in known:
        return Batches(folder, known[folder.name])
    found = [Batches(folder / name, layout) for name, layout in known.items() if (folder / name).is_dir()]
    found += [Batches(folder, layout) for layout in LAYOUTS if _holds_all(folder, layout)]
    if len(found) > 1:
        raise DataError(
            f"The folder {folder} holds several datasets: {', '.join(each.folder.name for each in found)}. "
            "Name one of these folders itself."
        )
    return found[0] if found else None


def read_batches(found: Batches) -> Splits:
    """Reads CIFAR's images in the order of its batches: classes in the order of their published names.

    Raises:
        DataError: a file is missing or damaged, or holds anything but images and labels.
    """
    folder, layout = found.folder, found.layout
    missing = [name for name in (*layout.train, layout.test, layout.names) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"The folder {folder} lacks {', '.join(missing)} of the files that {layout.folder} has. "
            "Unpack the archive again, whole."
        )
    names = _read_names(folder / layout.names, layout)
    parts = [
        [_read_batch(folder / name, layout, len(names)) for name in files] for files in (layout.train, (layout.test,))
    ]
    _check_whole(parts[0], parts[1][0], folder, layout)
    train, test = (_join(batches, names) for batches in parts)
    notes = [_tell_empty(images, split) for images, split in ((train, "training"), (test, "test"))]
    return Splits(train=train, test=test, facts=Facts.of([], filter(None, notes)))


def _tell_empty(images: DecodedImages, split: str) -> str:
    """Names the classes without images, a sentence; empty where each has some."""
    counts = torch.bincount(images.targets, minlength=len(images.class_names))
    empty = [images.class_names[at] for at in (counts == 0).nonzero().flatten().tolist()]
    more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
    shown = ", ".join(empty[:_SHOWN])
    return f"{len(empty)} classes have no images in the {split} batches: {shown}{more}." if empty else ""


def _check_whole(batches: list[_Batch], test: _Batch, folder: Path, layout: Layout) -> None:
    """Refuses a batch that holds fewer images than the others: files may be cut off between two images."""
    counts = [len(pixels) for pixels, _ in batches]
    if sum(counts) == _TRAIN and len(test[0]) != _TEST:
        raise DataError(
            f"The batch {folder / layout.test} holds {len(test[0]):,} images, and the published one {_TEST:,}: it is "
            "cut off. Unpack the archive again, whole."
        )
    if short := [name for name, count in zip(layout.train, counts, strict=True) if count < max(counts)]:
        raise DataError(
            f"The batches of {folder} hold {max(counts):,} images each, and {', '.join(short)} only "
            f"{min(counts):,}: it is cut off. Unpack the archive again, whole."
        )


def _holds_all(folder: Path, layout: Layout) -> bool:
    # All of them: "train", "test" and "meta" alone are names that other folders have too.
    return all((folder / name).is_file() for name in (*layout.train, layout.test, layout.names))


def _read_names(path: Path, layout: Layout) -> tuple[str, ...]:
    if layout.before:
        names: Any = _read_lines(path)
    else:
        content = read_plain_pickle(path)
        names = content.get("label_names", content.get("fine_label_names"))
    if not isinstance(names, list) or not names or not all(isinstance(name, (str, bytes)) for name in names):
        raise DataError(f"The file {path} holds no list of class names.")
    try:
        texts = tuple(name.decode() if isinstance(name, bytes) else name for name in names)
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path} names a class in no UTF-8 ({error.object!r}).") from error
    if len(set(texts)) < len(texts):
        raise DataError(f"The file {path} names a class twice.")
    return texts


def _read_lines(path: Path) -> list[str]:
    try:
        return read_regular(path, MOST_BYTES).decode().split()
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read the class names in {path}: {error}. Unpack the archive again.") from error


def _read_batch(path: Path, layout: Layout, classes: int) -> _Batch:
    """Pixels uint8 [N, 3072] and labels int64 [N], each of one of the classes."""
    pixels, labels = _read_binary(path, layout) if layout.before else _read_pickle(path, layout)
    if not labels:
        raise DataError(f"The batch {path} holds no images. Unpack the archive again.")
    if min(labels) >= 0 and max(labels) < classes:
        return pixels, torch.tensor(labels, dtype=torch.int64)
    row = next(row for row, label in enumerate(labels) if not 0 <= label < classes)
    raise DataError(
        f"The batch {path} gives image {row} the class {labels[row]}, and {layout.names} names {classes} (0.."
        f"{classes - 1}): one of the two is damaged. Unpack the archive again."
    )


def _read_pickle(path: Path, layout: Layout) -> tuple[NDArray[np.uint8], list[int]]:
    content = read_plain_pickle(path)
    pixels, labels = content.get("data"), content.get(str(layout.labels))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        found = f"an array {list(pixels.shape)}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise DataError(
            f"The batch {path} must hold `data` of shape [N, {_PIXELS}], found {found}. {_tell_keys(content)}"
        )
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(map(_is_index, labels)):
        raise DataError(
            f"The batch {path} must hold `{layout.labels}`, one whole number for each of its {len(pixels)} images. "
            f"{_tell_keys(content)}"
        )
    return pixels, labels


def _is_index(label: Any) -> bool:
    return type(label) is int and abs(label) < _LARGEST


def _read_binary(path: Path, layout: Layout) -> tuple[NDArray[np.uint8], list[int]]:
    try:
        raw = np.frombuffer(read_regular(path, MOST_BYTES), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"Cannot read the batch {path}: {error.strerror}.") from error
    width = layout.before + _PIXELS
    if not len(raw) or len(raw) % width:
        raise DataError(
            f"The batch {path} has {len(raw)} bytes, expected a multiple of {width}: it is cut off or damaged."
        )
    rows = raw.reshape(-1, width)
    return rows[:, layout.before :], rows[:, int(layout.labels)].tolist()


def _join(batches: list[_Batch], names: tuple[str, ...]) -> DecodedImages:
    pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in batches])).view(-1, 3, _SIDE, _SIDE)
    return DecodedImages(pixels, torch.cat([labels for _, labels in batches]), names)


def _tell_keys(content: Mapping[str, Any]) -> str:
    return f"It holds {', '.join(sorted(content)) or 'nothing'}."
