"""Distances to the median of each class (Xia et al., Moderate Coreset, ICLR 2023, section 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rethinkdc.data.by_class import rows_by_class
from rethinkdc.pruning.ties import ascending


def median_distances(features: Tensor, targets: Tensor) -> Tensor:
    """Euclidean distance of each row to the coordinate-wise median of its class: float64 [N].

    Args:
        features: float [N, D], may be memory-mapped; read class by class.
        targets: int64 [N].
    """
    distances = torch.empty(len(targets), dtype=torch.float64)
    for rows in rows_by_class(targets, len(torch.bincount(targets))):
        if not len(rows):
            continue
        points = features[rows].to(torch.float64)
        distances[rows] = (points - _median(points)).square().sum(1).sqrt()
    return distances


def _median(points: Tensor) -> Tensor:
    """Coordinate-wise median, the mean of the two in the middle of an even number: [n, D] -> [D]."""
    places = (len(points) - 1) // 2, len(points) // 2
    # A whole sort takes six times as long, for the same two rows.
    parted = torch.from_numpy(np.partition(points.numpy(), places, axis=0))
    return (parted[places[0]] + parted[places[1]]) / 2


def middle(values: Tensor, count: int) -> Tensor:
    """The ``count`` positions of the middle ranks, smallest value first; equals in their order: int64 [count]."""
    start = (len(values) - count) // 2
    return ascending(values)[start : start + count]
