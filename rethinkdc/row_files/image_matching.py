"""Which images of another copy of a dataset are which of ours: equal pixels first, then the nearest of the class."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.data.chunks import CHUNK
from rethinkdc.errors import DataError
from rethinkdc.types import Images

_SIDE = 16
"""Side in pixels at which images are compared."""

_FARTHEST = 16.0
"""Root mean square difference, of 255, up to which two images may be one: other encodings stay far below it."""


class Matched(NamedTuple):
    """Our row for each row of the other copy, int64 [N], and how many of the images are equal to the pixel."""

    rows: Tensor
    equal: int


def match_images(ours: Images, theirs: Images) -> Matched:
    """Finds each image of another copy here; classes are mapped by name where the names agree, else by index.

    Args:
        ours: the training set, N images.
        theirs: that of the other copy, in any order.

    Raises:
        DataError: another number of images, or one without a counterpart of its class; counts them.
    """
    if len(ours) != len(theirs):
        raise DataError(f"it has {len(theirs):,} training images and this dataset {len(ours):,}: no copy of it")
    mine, other = _thumbnails(ours), _thumbnails(theirs)
    classes = _map_classes(ours, theirs)
    rows = _match_equal(mine, ours.targets, other, classes)
    equal = int((rows >= 0).sum())
    free = torch.ones(len(ours), dtype=torch.bool)
    free[rows[rows >= 0]] = False
    for index in torch.unique(classes[rows < 0]).tolist():
        asked = ((rows < 0) & (classes == index)).nonzero().flatten()
        candidates = (free & (ours.targets == index)).nonzero().flatten()
        if len(candidates):
            rows[asked] = _nearest(other[asked], mine[candidates], candidates)
    if lost := int((rows < 0).sum()):
        raise DataError(f"{lost:,} of its {len(rows):,} training images have no counterpart in this dataset")
    return Matched(rows, equal)


def _thumbnails(images: Images) -> Tensor:
    """Small canvases in one row each: uint8 [N, 3 * side * side]."""
    chunks = torch.arange(len(images)).split(CHUNK)
    return torch.cat([images.canvases(rows, _SIDE).flatten(1) for rows in chunks])


def _map_classes(ours: Images, theirs: Images) -> Tensor:
    if set(ours.class_names) != set(theirs.class_names):
        return theirs.targets
    return torch.tensor([ours.class_names.index(name) for name in theirs.class_names])[theirs.targets]


def _match_equal(mine: Tensor, targets: Tensor, other: Tensor, classes: Tensor) -> Tensor:
    """Rows of equal images, -1 where there is none; copies of one image are taken in their order."""
    known: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for row in reversed(range(len(mine))):
        known[int(targets[row]), mine[row].numpy().tobytes()].append(row)
    found = []
    for row in range(len(other)):
        same = known.get((int(classes[row]), other[row].numpy().tobytes()))
        found.append(same.pop() if same else -1)
    return torch.tensor(found)


def _nearest(asked: Tensor, candidates: Tensor, rows: Tensor) -> Tensor:
    """Rows of the nearest candidates, -1 for images that are not each other's nearest, or too far apart."""
    distances = torch.cdist(asked.float(), candidates.float()) / asked.shape[1] ** 0.5
    nearest, back = distances.argmin(1), distances.argmin(0)
    mutual = back[nearest] == torch.arange(len(asked))
    close = distances[torch.arange(len(asked)), nearest] <= _FARTHEST
    return torch.where(mutual & close, rows[nearest], -1)
