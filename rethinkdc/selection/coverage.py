"""Facility location: picks that are near every row, by exact greedy gains without an n x n kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.selection.ties import first_largest, settled
from rethinkdc.selection.vectors import Vectors

Similarity = Callable[[Tensor, Tensor], Tensor]
"""Similarity of rows at some positions (int64 [a]) to rows at others ([b]): float64 [a, b], not negative, symmetric."""

_TILE = 1024
"""Rows by rows whose similarities are held at a time: 8 MiB."""

_LISTED = 1 << 21
"""Similarities above what the picks give that are listed from then on: 16 bytes each, 32 MiB."""


def cosine_similarity(vectors: Vectors) -> Similarity:
    """(1 + cos) / 2; a vector of length 0 is at right angles to all."""
    norms = vectors.squared_norms().sqrt()
    inverse = torch.where(norms > 0, 1 / norms, 0.0)

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        cosines: Tensor = vectors.products(left, right).mul_(inverse[left, None]).mul_(inverse[right])
        return cosines.add_(1).div_(2).clamp_(0, 1)

    return similarity


def distance_similarity(vectors: Vectors) -> Similarity:
    """A constant beyond every distance, less the Euclidean distance; the greedy picks do not depend on the constant."""
    norms = vectors.squared_norms()
    beyond, scale = 2 * float(norms.max()) ** 0.5, 4 * float(norms.max())

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        squared = norms[left, None] + norms[right] - 2 * vectors.products(left, right)
        # A root makes much of a rounding next to 0.
        near: Tensor = beyond - settled(squared.clamp_(min=0), scale).sqrt()
        return near

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
            listed, look = _list(similarity, rows, covered), 2 * index + 1
        if listed is not None:
            listed.pick(best, covered, gains, weights)
            continue
        column = torch.cat([similarity(part, torch.tensor([best]))[:, 0] for part in everyone.split(_TILE)])
        nearer = (column > covered).nonzero().flatten()
        for part in nearer.split(_TILE):
            low, high = covered[part, None], column[part, None]
            for others in everyone.split(_TILE):
                lost = torch.clamp(similarity(part, others), low, high).sub_(low)
                gains[others] -= weights[part] @ lost
        covered[nearer] = column[nearer]
    return picks


def _gain(similarity: Similarity, everyone: Tensor, part: Tensor, weights: Tensor) -> Tensor:
    """Gain of each row of ``part`` before anything is covered."""
    found = torch.zeros(len(part), dtype=torch.float64)
    for others in everyone.split(_TILE):
        found += weights[others] @ similarity(others, part)
    return found


class _Listed(NamedTuple):
    """The pairs of rows whose similarity lies above what covers the first of them.

    ``starts`` int64 [n + 1] and ``others`` int32 [p]: with whom each row makes pairs, ``values`` float64 [p]: how
    similar they are. ``by_other`` int32 [p] orders the pairs by their second row, which ``other_starts`` [n + 1] cut.
    """

    starts: Tensor
    others: Tensor
    values: Tensor
    by_other: Tensor
    other_starts: Tensor

    def pick(self, best: int, covered: Tensor, gains: Tensor, weights: Tensor) -> None:
        """Covers by one more row, in place: int ``best``, float64 ``covered``, ``gains`` and ``weights`` [n]."""
        pairs = self.by_other[self.other_starts[best] : self.other_starts[best + 1]].long()
        rows = torch.bucketize(pairs, self.starts[1:], right=True)
        nearer = self.values[pairs] > covered[rows]
        rows, high = rows[nearer], self.values[pairs[nearer]]
        # All pairs of those rows, one row after the other.
        lengths = self.starts[rows + 1] - self.starts[rows]
        owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
        within = torch.arange(len(owner)) - (lengths.cumsum(0) - lengths)[owner]
        places = self.starts[rows][owner] + within
        low = covered[rows][owner]
        lost = torch.clamp(torch.minimum(self.values[places], high[owner]) - low, min=0) * weights[rows][owner]
        gains -= torch.bincount(self.others[places], weights=lost, minlength=len(gains))
        covered[rows] = high


def _list(similarity: Similarity, rows: int, covered: Tensor) -> _Listed | None:
    """Lists the pairs (i, x) with s_ix above what covers i; None where there are too many of them."""
    everyone = torch.arange(rows)
    lengths, others, values, pairs = torch.zeros(rows, dtype=torch.int64), list[Tensor](), list[Tensor](), 0
    for part in everyone.split(_TILE):
        near = [_above(similarity, part, block, covered) for block in everyone.split(_TILE)]
        owner, other, value = (torch.cat(column) for column in zip(*near, strict=True))
        pairs += len(owner)
        if pairs > 2 * _LISTED:
            return None
        lengths[part] = torch.bincount(owner, minlength=len(part))
        order = torch.argsort(owner, stable=True)
        others.append(other[order].to(torch.int32))
        values.append(value[order])
    found = torch.cat(others)
    zero = torch.zeros(1, dtype=torch.int64)
    other_starts = torch.cat([zero, torch.bincount(found, minlength=rows).cumsum(0)])
    by_other = torch.argsort(found, stable=True).to(torch.int32)
    return _Listed(torch.cat([zero, lengths.cumsum(0)]), found, torch.cat(values), by_other, other_starts)


def _above(similarity: Similarity, part: Tensor, block: Tensor, covered: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of one tile: place of the first row in ``part``, the second row, their similarity."""
    near = similarity(part, block)
    owner, place = (near > covered[part, None]).nonzero(as_tuple=True)
    return owner, block[place], near[owner, place]


def assigned(similarity: Similarity, rows: int, picks: Tensor) -> Tensor:
    """How many rows each pick stands for: float64 [k], of sum n; a row between two goes to the earlier pick."""
    counts = torch.zeros(len(picks), dtype=torch.int64)
    for part in torch.arange(rows).split(_TILE):
        near = settled(similarity(part, picks))
        counts += torch.bincount(near.argmax(1), minlength=len(picks))
    return counts.to(torch.float64)
