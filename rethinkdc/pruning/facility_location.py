"""Facility location: picks that are near every row, by exact greedy gains without an n x n kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rethinkdc.pruning.ties import first_largest, largest, settled
from rethinkdc.pruning.vectors import Vectors

Similarity = Callable[[Tensor, Tensor], Tensor]
"""Similarity of rows at some positions (int64 [a]) to rows at others ([b]): float64 [a, b], not negative, symmetric."""

_TILE = 512
"""Rows by rows whose similarities are held at a time: 2 MiB."""

_LISTED = 2 << 20
"""Similarities above what the picks give that are listed from then on: 12 bytes each, 24 MiB."""


def cosine_similarity(vectors: Vectors) -> Similarity:
    """(1 + cos) / 2; a vector of length 0 is at right angles to all."""
    norms = vectors.squared_norms().sqrt()
    inverse = torch.where(norms > 0, 1 / norms, 0.0)

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        halves: Tensor = vectors.products(left, right).mul_(inverse[left, None] / 2).mul_(inverse[right])
        return halves.add_(0.5).clamp_(0, 1)

    return similarity


def distance_similarity(vectors: Vectors) -> Similarity:
    """A constant beyond every distance, less the Euclidean distance; the greedy picks do not depend on the constant."""
    norms = vectors.squared_norms()
    beyond, scale = 2 * float(norms.max()) ** 0.5, 4 * float(norms.max())

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        squared: Tensor = vectors.products(left, right).mul_(-2).add_(norms[left, None]).add_(norms[right])
        # A root makes much of a rounding next to 0.
        return settled(squared.clamp_(min=0), scale).sqrt_().neg_().add_(beyond)

    return similarity


def locate_facilities(similarity: Similarity, rows: int, count: int, weights: Tensor | None = None) -> Tensor:
    """Greedily maximises f(S) = sum_i w_i max_{j in S} s_ij (Mirzasoleiman et al., arXiv 1409.7938).

    The gain of x is sum_i w_i max(0, s_ix - m_i) with m_i = max_{j in S} s_ij. All gains are kept exact: a pick changes
    m_i for the rows that are nearer to it than to those before, and only their similarities are computed again; their
    number falls as 1 / |S|. As soon as few similarities lie above m_i these are listed, and none is computed any more.

    Args:
        similarity: of rows at positions in the order in which ties are broken.
        rows: n.
        count: rows to pick, at most n.
        weights: float64 [n], not negative; None = 1 each.

    Returns:
        Distinct positions int64 [count], in pick order. Memory: 64 MiB and a few numbers for each row.
    """
    everyone = torch.arange(rows)
    weights = torch.ones(rows, dtype=torch.float64) if weights is None else weights
    covered = torch.zeros(rows, dtype=torch.float64)
    gains = torch.cat([_gain(similarity, everyone, part, weights) for part in everyone.split(_TILE)])
    # Few enough pairs are to be expected when n^2 / (picks + 1) are; looked for again later where there are more.
    scale, listed, look = float(gains.max()), None, rows * rows / _LISTED - 1
    taken, picks = torch.zeros(rows, dtype=torch.bool), torch.empty(count, dtype=torch.int64)
    for index in range(count):
        best = first_largest(gains.masked_fill(taken, -torch.inf), scale)
        picks[index], taken[best] = best, True
        if index + 1 == count:
            break
        if listed is None and index >= look:
            listed, look = _Listed.of(similarity, covered), 1.5 * index + 1
        if listed is not None:
            listed.pick(best, covered, gains, weights)
            continue
        column = torch.cat([similarity(part, torch.tensor([best]))[:, 0] for part in everyone.split(_TILE)])
        nearer = (column > covered).nonzero().flatten()
        for part in nearer.split(_TILE):
            low, high = covered[part, None], column[part, None]
            for others in everyone.split(_TILE):
                lost = similarity(part, others).clamp_(low, high).sub_(low)
                gains[others] -= weights[part] @ lost
        covered[nearer] = column[nearer]
    return picks


def _gain(similarity: Similarity, everyone: Tensor, part: Tensor, weights: Tensor) -> Tensor:
    """Gain of each row of ``part`` before anything is covered."""
    sums = torch.zeros(len(part), dtype=torch.float64)
    for others in everyone.split(_TILE):
        sums += weights[others] @ similarity(others, part)
    return sums


class _Listed:
    """The pairs of rows whose similarity lies above what covers the first of them, in the order of those."""

    def __init__(self, starts: Tensor, others: Tensor, values: Tensor) -> None:
        """Takes where the pairs of each row start, int64 [n + 1], their second rows, int32 [p], and float64 [p]."""
        self._starts, self._others, self._values = starts, others, values

    @classmethod
    def of(cls, similarity: Similarity, covered: Tensor) -> _Listed | None:
        """Lists them; None where there are too many of them."""
        everyone, pairs = torch.arange(len(covered)), 0
        starts = torch.zeros(len(covered) + 1, dtype=torch.int64)
        # Whole at once: pieces that are kept between tiles would keep the memory of the tiles, too.
        owners, others = torch.empty(_LISTED, dtype=torch.int16), torch.empty(_LISTED, dtype=torch.int32)
        values = torch.empty(_LISTED, dtype=torch.float64)
        for part in everyone.split(_TILE):
            begin = pairs
            for block in everyone.split(_TILE):
                near = similarity(part, block)
                above = near > covered[part, None]
                end = pairs + int(above.sum())
                if end > _LISTED:
                    return None
                owners[pairs:end], places = above.nonzero(as_tuple=True)
                others[pairs:end], values[pairs:end] = block[places], near[above]
                pairs = end
            mine = slice(begin, pairs)
            order = torch.argsort(owners[mine], stable=True)
            others[mine], values[mine] = others[mine][order], values[mine][order]
            starts[part + 1] = begin + torch.bincount(owners[mine], minlength=len(part)).cumsum(0)
        return cls(starts, others[:pairs], values[:pairs])

    def pick(self, best: int, covered: Tensor, gains: Tensor, weights: Tensor) -> None:
        """Covers by one more row, in place: int ``best``, float64 ``covered``, ``gains`` and ``weights`` [n]."""
        pairs = (self._others == best).nonzero().flatten()
        rows = torch.bucketize(pairs, self._starts[1:], right=True)
        nearer = self._values[pairs] > covered[rows]
        rows, high = rows[nearer], self._values[pairs[nearer]]
        # All pairs of those rows, one row after the other.
        lengths = self._starts[rows + 1] - self._starts[rows]
        owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
        within = torch.arange(len(owner)) - (lengths.cumsum(0) - lengths)[owner]
        places = self._starts[rows][owner] + within
        low = covered[rows][owner]
        lost = torch.clamp(torch.minimum(self._values[places], high[owner]) - low, min=0) * weights[rows][owner]
        gains -= torch.bincount(self._others[places], weights=lost, minlength=len(gains))
        covered[rows] = high


def assigned(similarity: Similarity, rows: int, picks: Tensor) -> Tensor:
    """How many rows each pick stands for: float64 [k], of sum n; a row between two goes to the earlier pick."""
    counts = torch.zeros(len(picks), dtype=torch.int64)
    for part in torch.arange(rows).split(max(1, _TILE * _TILE // len(picks))):
        nearest = largest(similarity(part, picks)).to(torch.uint8).argmax(1)
        counts += torch.bincount(nearest, minlength=len(picks))
    return counts.to(torch.float64)
