"""Prototypes: the centres of clusters of directions, and how near each row is to its own.

K-means on the sphere, as Abbas et al. cluster (SemDeDup, arXiv 2303.09540) and after them the prototypes of Sorscher et
al. (arXiv 2206.14486): rows and centres have length 1, and the largest cosine wins.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.pruning.ties import ascending, largest
from rethinkdc.training.checkpoint import Resumable

_CHUNK_NUMBERS = 1 << 20
"""Numbers of rows, or of rows by centres, that are worked on at a time: 8 MiB."""


class Prototypes(NamedTuple):
    """Centres of clusters and the rows of each.

    Attributes:
        centres: float64 [k, D], of length 1.
        labels: int64 [n], the nearest centre of each row.
        cosines: float64 [n], between each row and that centre.
    """

    centres: Tensor
    labels: Tensor
    cosines: Tensor


def directions(points: Tensor, rows: Tensor) -> Tensor:
    """Some rows of a table float [N, D], scaled to length 1: float64 [m, D]; a row of length 0 stays 0."""
    vectors = points[rows].to(torch.float64)
    lengths = vectors.norm(dim=1, keepdim=True)
    return vectors / torch.where(lengths > 0, lengths, 1.0)


def nearest_prototypes(points: Tensor, rows: Tensor, centres: Tensor) -> Prototypes:
    """The centre of the largest cosine for each row, the first among equals.

    Args:
        points: float [N, D], may be memory-mapped; read a bounded number at a time.
        rows: int64 [n], which of them.
        centres: float64 [k, D], of length 1.
    """
    labels, cosines = torch.empty(len(rows), dtype=torch.int64), torch.empty(len(rows), dtype=torch.float64)
    for part in _parts(len(rows), max(centres.shape)):
        products = directions(points, rows[part]) @ centres.T
        labels[part] = largest(products, 1.0).to(torch.uint8).argmax(1)
        cosines[part] = products.gather(1, labels[part, None])[:, 0]
    return Prototypes(centres, labels, cosines)


def find_prototypes(
    points: Tensor, rows: Tensor, count: int, iterations: int, kept: Resumable | None = None
) -> Prototypes:
    """Clusters the directions of rows (Lloyd's algorithm on the sphere), from the first rows as centres.

    A centre whose rows have all gone to others goes on from the row that is farthest from its own centre.

    Args:
        points: float [N, D], may be memory-mapped; read a bounded number at a time.
        rows: int64 [n], in a random order: the first ``count`` are the first centres, and break ties.
        count: k, at most n.
        iterations: at most; it stops where no row changes its centre.
        kept: where a kill left off; None = it begins again.

    Returns:
        Prototypes, and to which of them each row belongs. Memory: a few numbers for each row and centre.
    """
    state = kept.restore() if kept is not None else None
    centres = directions(points, rows[:count]) if state is None else state["centres"]
    labels = torch.full((len(rows),), -1) if state is None else state["labels"]
    for iteration in range(0 if state is None else state["iteration"], iterations):
        found = nearest_prototypes(points, rows, centres)
        if torch.equal(found.labels, labels):
            return found
        labels, centres = found.labels, _means(points, rows, found)
        if kept is not None:
            now = {"centres": centres, "labels": labels, "iteration": iteration + 1}
            kept.keep(lambda: now, done=iteration + 1)  # noqa: B023 - called at once
    return nearest_prototypes(points, rows, centres)


def _means(points: Tensor, rows: Tensor, found: Prototypes) -> Tensor:
    """Directions of the sums of the rows of each centre: float64 [k, D]."""
    sums = torch.zeros_like(found.centres)
    for part in _parts(len(rows), sums.shape[1]):
        sums.index_add_(0, found.labels[part], directions(points, rows[part]))
    empty = (torch.bincount(found.labels, minlength=len(sums)) == 0).nonzero().flatten()
    sums[empty] = directions(points, rows[ascending(found.cosines, 1.0)[: len(empty)]])
    return directions(sums, torch.arange(len(sums)))


def nearest_before(points: Tensor, rows: Tensor) -> Tensor:
    """The largest cosine between each row and any that stands before it, at least 0: float64 [n].

    Args:
        points: float [N, D], may be memory-mapped.
        rows: int64 [n], in the order in which they are kept. Memory: n x D numbers, never n x n.
    """
    vectors, cosines = directions(points, rows), torch.zeros(len(rows), dtype=torch.float64)
    for part in _parts(len(rows), len(rows)):
        products = vectors[part] @ vectors[: int(part[-1]) + 1].T
        after = torch.arange(products.shape[1]) >= part[:, None]
        cosines[part] = products.masked_fill_(after, 0).amax(1).clamp_(min=0)
    return cosines


def _parts(rows: int, width: int) -> tuple[Tensor, ...]:
    parts: tuple[Tensor, ...] = torch.arange(rows).split(max(1, _CHUNK_NUMBERS // max(1, width)))
    return parts if rows else ()
