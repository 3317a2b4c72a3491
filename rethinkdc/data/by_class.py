"""Rows by class, in one pass: a comparison of all rows with each class would take as many passes as there are."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_by_class(targets: Tensor, classes: int, order: Tensor | None = None) -> list[Tensor]:
    """Lists the rows of each class.

    Args:
        targets: int64 [N], class indices, not negative.
        classes: C; rows of classes from there on are left out.
        order: int64 [n], the rows that are listed, in the order that those of each class keep; None = all, ascending.

    Returns:
        C tensors int64, empty for a class without rows.
    """
    labels = targets if order is None else targets[order]
    places = torch.argsort(labels, stable=True)
    rows = places if order is None else order[places]
    return list(rows.split(torch.bincount(labels, minlength=classes).tolist()))[:classes]
