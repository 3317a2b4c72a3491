"""Exact nearest neighbours, a bounded number of queries at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.training.checkpoint import Resumable

_CHUNK_NUMBERS = 1 << 22
"""Distances (queries x points) that are held at a time, and keys as many: 64 MiB."""

_KEPT_BITS = 40


class Neighbours(NamedTuple):
    """Positions int64 [m, k], nearest first, and Euclidean distances float64 [m, k]."""

    positions: Tensor
    distances: Tensor


def nearest_neighbours(
    points: Tensor, count: int, queries: Tensor | None = None, kept: Resumable | None = None
) -> Neighbours:
    """The nearest other points of each query; among equally near ones the lower position comes first.

    Args:
        points: float [n, D], n below two million; compared in float64.
        count: k; where there are fewer other points, all of them.
        queries: int64 [m], positions of the points that are asked for; None = all.
        kept: where a kill left off; None = it loses the neighbours.
    """
    # About their mean, so that large common coordinates take no bits from the distances.
    points = points.to(torch.float64, copy=True)
    points -= points.mean(0)
    norms = points.square().sum(1)
    queries = torch.arange(len(points)) if queries is None else queries
    count = min(count, len(points) - 1)
    positions, done = torch.empty((len(queries), count), dtype=torch.int64), 0
    if kept is not None and (state := kept.restore()):
        done = len(state["positions"])
        positions[:done] = state["positions"]
    step = max(1, _CHUNK_NUMBERS // len(points))
    for begin in range(done, len(queries), step):
        chunk = queries[begin : begin + step]
        positions[begin : begin + len(chunk)] = _nearest(points, norms, count, chunk)
        done = begin + len(chunk)
        if kept is not None:
            kept.keep(lambda: {"positions": positions[:done].clone()}, done=done)  # noqa: B023 - called at once
    return Neighbours(positions, _distances(points, queries, positions))


def _nearest(points: Tensor, norms: Tensor, count: int, queries: Tensor) -> Tensor:
    squared = torch.addmm(norms, points[queries], points.T, alpha=-2).add_(norms[queries, None]).clamp_(min=0)
    squared[torch.arange(len(queries)), queries] = torch.inf
    if not count:
        return queries.new_empty((len(queries), 0))
    furthest = squared.topk(count, dim=1, largest=False).values[:, -1:]
    # The last bits depend on the chunk: distances are compared in steps that no rounding reaches, then by position.
    exponents = torch.frexp(norms[queries, None] + furthest).exponent
    step = torch.ldexp(torch.ones_like(furthest), exponents - _KEPT_BITS)
    keys = squared.div_(step).round_().clamp_(max=2.0 ** (_KEPT_BITS + 1)).to(torch.int64)
    keys.mul_(len(points)).add_(torch.arange(len(points)))
    keys[torch.arange(len(queries)), queries] = torch.iinfo(torch.int64).max
    return keys.topk(count, dim=1, largest=False, sorted=True).indices


def _distances(points: Tensor, queries: Tensor, positions: Tensor) -> Tensor:
    """From the differences, so that copies are exactly 0 apart."""
    distances = points.new_empty(positions.shape)
    step = max(1, _CHUNK_NUMBERS // points.shape[1])
    for index, column in enumerate(positions.T):
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            apart = (points[queries[part]] - points[column[part]]).square().sum(1)
            distances[part, index] = apart.sqrt()
    return distances
