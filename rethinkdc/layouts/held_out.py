"""A test split for datasets that come without one: a part of the training images, drawn once and for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.data.blobs import Blobs
from rethinkdc.data.stratified import stratified_parts
from rethinkdc.errors import DataError
from rethinkdc.layouts.labelled import Labelled

PARTS = 5
"""One in so many images of each class is held out, and at least one."""
SEED = 0


class SomeBlobs:
    """Some rows of encoded files; nothing is copied."""

    def __init__(self, blobs: Blobs, rows: Tensor) -> None:
        """Takes ``rows`` int64 [M] of ``blobs``."""
        self._blobs = blobs
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, row: int) -> bytes | Path:
        return self._blobs.read(int(self._rows[row]))

    def where(self, row: int) -> str:
        return self._blobs.where(int(self._rows[row]))


def hold_out(train: Labelled) -> tuple[Labelled, Labelled]:
    """Divides the training images into a train and a test split, and notes it.

    The draw depends on the number of images of each class alone: a dataset has one such test split.

    Raises:
        DataError: a class has a single image.
    """
    counts = train.targets.bincount(minlength=len(train.class_names))
    if single := [train.class_names[index] for index in (counts == 1).nonzero().flatten().tolist()]:
        raise DataError(
            f"There is no test split, and {len(single)} of {len(train.class_names)} classes have a single image in "
            f"{train.label}, such as {single[0]!r}: none can be held out. Add images, or a folder or split named test."
        )
    held = stratified_parts(train.targets, PARTS, SEED)
    kept = torch.ones(len(train.targets), dtype=torch.bool)
    kept[held] = False
    note = (
        f"There is no test split: of each class one in {PARTS} training images is held out for testing, {len(held):,} "
        f"of {len(train.targets):,} in all."
    )
    return (
        replace(_rows_of(train, kept.nonzero().flatten()), notes=(*train.notes, note), split=""),
        replace(_rows_of(train, held), passed_over={}, notes=(), split=""),
    )


def _rows_of(part: Labelled, rows: Tensor) -> Labelled:
    return replace(part, blobs=SomeBlobs(part.blobs, rows), targets=part.targets[rows])
