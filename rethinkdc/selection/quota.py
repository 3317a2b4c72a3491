"""How many rows each class gives."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError


def class_counts(targets: Tensor, classes: int) -> Tensor:
    """Number of rows of each class: int64 [classes]."""
    return torch.bincount(targets, minlength=classes)


def check_supply(targets: Tensor, class_names: tuple[str, ...], needed: int, why: str) -> None:
    """Checks that every class has ``needed`` rows.

    Raises:
        UnsupportedError: names the smallest class and what it has.
    """
    counts = class_counts(targets, len(class_names))
    smallest = int(counts.argmin())
    if int(counts[smallest]) < needed:
        raise UnsupportedError(
            f"{why} needs {needed:,} training images of every class, but class {class_names[smallest]!r} has "
            f"{int(counts[smallest]):,}. Choose a smaller --ipc{' or grid' if 'grid' in why else ''}."
        )
