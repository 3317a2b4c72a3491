"""The orders of rows in use for one dataset: lists and scores made on another copy of it are brought to ours.

CIFAR-10 lies in five batches. torchvision reads them by number; the copy on the Hugging Face hub has them as they lie
in the archive: 4, 3, 2, 5, 1. Which batch a block of rows is, its first labels say. CIFAR-100 lies in one file. Trees
of image files, and some copies, are sorted by class.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.errors import DataError, RequestError, nearest
from rethinkdc.row_files.image_matching import match_images
from rethinkdc.types import Images

CIFAR10_BATCHES = (
    "69941127834772999326",
    "16688346060366548326",
    "85069283627469007372",
    "06027212415663135581",
    "18515743827201596208",
)
"""The first twenty labels of CIFAR-10's batches 1 to 5."""

CIFAR100_START = (19, 29, 0, 11, 1)
"""The first labels of CIFAR-100's training file."""

COPIES = {"torchvision": (0, 1, 2, 3, 4), "hub": (3, 2, 1, 4, 0)}
"""A copy's name -> CIFAR-10's batches in its order, from 0."""

BY_CLASS = "by-class"
ORDERS = (*COPIES, BY_CLASS, *(f"{copy}-{BY_CLASS}" for copy in COPIES))
"""The names that ``order`` takes; ``by-class`` alone sorts this copy's own rows, each class in their order."""


class Foreign(NamedTuple):
    """Our row for each row that a file speaks of, int64 [N], and what the file's rows are, in words."""

    places: Tensor
    name: str


def find_foreign(order: str | None, like: Path | None, data: Images) -> Foreign | None:
    """The rows of another copy, named by their order or lying in a folder; None = the training set's own.

    Raises:
        RequestError: both are given, or no such order is known.
        DataError: the rows of the copy cannot be told apart here.
    """
    if like is None:
        return None if order is None else Foreign(find_order(order, data), order)
    if order is not None:
        raise RequestError(f"order={order} and like={like} both name another copy: leave one of them out.")
    from rethinkdc.layouts.hub import load_path

    theirs = load_path(like).train
    try:
        found = match_images(data, theirs)
    except DataError as error:
        raise DataError(f"like={like}: {error}.") from error
    return Foreign(found.rows, f"of the images in {like.name}, {found.equal:,} of {len(data):,} equal to the pixel")


def find_order(order: str, data: Images) -> Tensor:
    """Finds our row for each row of another copy: int64 [N].

    Args:
        order: one of :data:`ORDERS`, that of the copy.
        data: the training set.

    Raises:
        RequestError: no such order is known.
        DataError: this training set is no copy whose rows can be told apart by its labels.
    """
    if order not in ORDERS:
        raise RequestError(f"order={order} is not known. {nearest(order, ORDERS)}")
    copy = order.removesuffix(BY_CLASS).rstrip("-")
    places = _places_in(copy, data) if copy else torch.arange(len(data))
    return places[data.targets[places].argsort(stable=True)] if order.endswith(BY_CLASS) else places


def _places_in(copy: str, data: Images) -> Tensor:
    targets, classes = data.targets, len(data.class_names)
    if classes == 100 and targets[: len(CIFAR100_START)].tolist() == list(CIFAR100_START):
        return torch.arange(len(targets))
    size = len(targets) // len(CIFAR10_BATCHES)
    starts = ["".join(map(str, block[:20].tolist())) for block in targets.split(max(1, size))[: len(CIFAR10_BATCHES)]]
    if classes != 10 or len(targets) % len(CIFAR10_BATCHES) or sorted(starts) != sorted(CIFAR10_BATCHES):
        sorted_ = bool((targets.diff() >= 0).all())
        found = "its rows are sorted by class" if sorted_ else f"its first labels are {targets[:10].tolist()}"
        raise DataError(
            f"order={copy}: where the rows of that copy lie here cannot be told, since this training set is not made "
            f"of CIFAR-10's batches, nor of CIFAR-100's file: {found}. Name the folder of the other copy with "
            "like=FOLDER, or use that dataset."
        )
    blocks = [starts.index(CIFAR10_BATCHES[batch]) for batch in COPIES[copy]]
    return torch.cat([torch.arange(block * size, (block + 1) * size) for block in blocks])
