"""Medoids of k-means: the rows that stand for the clusters of their features."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from rethinkdc.pruning.ties import ascending
from rethinkdc.pruning.vectors import CHUNK


def k_means_medoids(points: Tensor, count: int, seed: int, iterations: int) -> Tensor:
    """Clusters ``points`` and picks the row nearest to the centre of each cluster (Lloyd 1982; k-means++ 2007).

    Args:
        points: float [n, D], in the order in which ties are broken.
        count: number of clusters, at most n.
        seed: of the first centres (k-means++).
        iterations: of Lloyd's algorithm, at most.

    Returns:
        Distinct positions int64 [count]: the medoids, largest cluster first; then, where fewer clusters than asked
        for have rows (fewer distinct points), the first of the other rows.
    """
    centres, labels = _clusters(points, count, seed, iterations)
    parts = torch.arange(len(points)).split(CHUNK)
    away = torch.cat([(points[part].to(torch.float64) - centres[labels[part]]).square().sum(1) for part in parts])
    # Nearest first, then cluster by cluster: the first of each cluster is its medoid.
    order = ascending(away)
    order = order[torch.argsort(labels[order], stable=True)]
    sizes = torch.bincount(labels, minlength=count)
    first = (torch.cumsum(sizes, 0) - sizes)[sizes > 0]
    medoids = order[first][torch.argsort(sizes[sizes > 0], stable=True, descending=True)]
    others = torch.ones(len(points), dtype=torch.bool)
    others[medoids] = False
    return torch.cat([medoids, others.nonzero().flatten()[: count - len(medoids)]])


def _clusters(points: Tensor, count: int, seed: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Centres float64 [count, D] and the cluster of each point, int64 [n], found in float64."""
    # Here, because scikit-learn takes a second to import.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it ships no types

    means = KMeans(
        count,
        n_init=1,
        max_iter=iterations,
        random_state=np.random.RandomState(seed),
        algorithm="lloyd",
        copy_x=False,
    )
    # More threads would add up the centres in an order of their own.
    with threadpool_limits(1), warnings.catch_warnings():
        # Fewer distinct points than clusters: the empty ones are filled by the caller.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A copy of its own, which it moves to the mean and back.
        means.fit(points.to(torch.float64, copy=True).numpy())
    return torch.from_numpy(means.cluster_centers_), torch.from_numpy(means.labels_).to(torch.int64)
