"""Class indices of images: one for each, in range."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.errors import DataError


def check_targets(targets: Tensor, count: int, class_names: Sequence[str]) -> None:
    """Checks that there is one class index for each image.

    Raises:
        DataError: a wrong dtype or shape, or a target out of range; names the first such row.
    """
    if targets.dtype != torch.int64 or targets.shape != (count,):
        raise DataError(
            f"Targets must be int64 of shape [{count}], found {targets.dtype} of shape {list(targets.shape)}."
        )
    if not count or (int(targets.min()) >= 0 and int(targets.max()) < len(class_names)):
        return
    wrong = ((targets < 0) | (targets >= len(class_names))).nonzero().flatten()
    row = int(wrong[0])
    raise DataError(
        f"Row {row} has the class index {int(targets[row])}, but there are {len(class_names)} classes "
        f"(0..{len(class_names) - 1}); {len(wrong)} of {count} rows are out of range."
    )
