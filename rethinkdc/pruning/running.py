"""Greedy choices whose value of a row is a running sum of inner products with the picks: herding and graph cut."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.ties import first_largest, rounding
from rethinkdc.pruning.vectors import Vectors
from rethinkdc.training.checkpoint import Resumable

_RENEWED = 256
"""Picks after which all running values are computed anew."""


def herd(vectors: Vectors, count: int, kept: Resumable | None = None) -> Tensor:
    """Herding: the mean of the picks follows the mean of all (Welling, ICML 2009; Rebuffi et al., arXiv 1611.07725).

    Pick t is the row that brings the sum of the picks nearest to t times the mean: it minimises
    ||t mu - sum_S h - h_x||.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    norms = vectors.squared_norms()
    towards = 2 / len(vectors) * vectors.against(vectors.sum_of(torch.arange(len(vectors))))
    return _running(vectors, -norms, towards, torch.ones_like(norms), float(norms.max()), count, kept)


def cut_graph(vectors: Vectors, count: int, lam: float, kept: Resumable | None = None) -> Tensor:
    """Graph cut: near all rows, far from the picks (Iyer et al., ALT 2021, arXiv 2006.15412).

    Maximises lam sum_{i in V, j in S} s_ij - sum_{i, j in S} s_ij with s = (1 + cos) / 2, greedily. Up to constants the
    gain of a row x of unit length is <x, lam sum_V v - 2 sum_S v>: no n x n kernel is needed.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        lam: weight of nearness to all; from 2 on, the function never falls as rows are added.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    norms = vectors.squared_norms().sqrt()
    # A vector of length 0 is at right angles to all.
    inverse = torch.where(norms > 0, 1 / norms, 0.0)
    start = lam * inverse * vectors.against(vectors.sum_of(torch.arange(len(vectors)), inverse))
    return _running(vectors, start, torch.zeros_like(start), inverse, 1.0, count, kept)


def _running(
    vectors: Vectors,
    start: Tensor,
    drift: Tensor,
    factors: Tensor,
    longest: float,
    count: int,
    kept: Resumable | None,
) -> Tensor:
    """Picks the row of the largest start + t drift - 2 sum_S <x, s> for t = 1, 2, ..., each row once.

    The values run in whatever precision the kernel has, and are renewed now and then. Rows that its error could have
    brought to the top are compared in float64, so that the picks depend neither on it nor on where a row stands.

    Args:
        vectors: n rows.
        start: float64 [n].
        drift: float64 [n].
        factors: float64 [n], what each vector is multiplied by.
        longest: the largest squared norm after that.
        count: rows to pick.
        kept: where a kill left off; None = it loses the picks.
    """
    total, scale = vectors.sum_of(torch.empty(0, dtype=torch.int64)), float(start.abs().max()) + longest
    value = start.clone()
    greedy = Greedy(count, {"total": total, "value": value}, kept)
    taken = greedy.taken(len(start))
    for index in greedy.left:
        value += drift
        open_value = value.masked_fill(taken, -torch.inf)
        slack = 2 * (index % _RENEWED) * vectors.precision * longest + rounding(value, scale)
        near = (open_value >= open_value.max() - 2 * slack).nonzero().flatten()
        if len(near) > 1:
            sums = factors[near] * vectors.against(total, near)
            near = near[first_largest(start[near] + (index + 1) * drift[near] - 2 * sums, scale)]
        best = int(near)
        taken[best] = True
        total += factors[best] * vectors.sum_of(near.view(1))
        if (index + 1) % _RENEWED:
            value -= 2 * factors[best] * factors * vectors.kernel(best)
        else:
            torch.sub(start + (index + 1) * drift, 2 * factors * vectors.against(total), out=value)
        greedy.add(best)
    return greedy.picks
