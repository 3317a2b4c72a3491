"""Greedy choices whose value of a row is a running sum of inner products with the picks: herding and graph cut."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.selection.ties import first_largest
from rethinkdc.selection.vectors import Vectors

_PRECISION = 2.0**-20
"""Error of a float32 inner product of a few thousand terms, in units of the vectors' norms, with room to spare."""


def herd(vectors: Vectors, count: int) -> Tensor:
    """Herding: the mean of the picks follows the mean of all (Welling, ICML 2009; Rebuffi et al., arXiv 1611.07725).

    Pick t is the row that brings the sum of the picks nearest to t times the mean: it minimises
    ||t mu - sum_S h - h_x||.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    everyone, rows = torch.arange(len(vectors)), len(vectors)
    norms = vectors.squared_norms()
    towards = 2 * vectors.dots(everyone, everyone, torch.full((rows,), 1 / rows, dtype=torch.float64))
    return _running(vectors, -norms, towards, torch.ones(rows, dtype=torch.float64), norms.sqrt(), count)


def cut_graph(vectors: Vectors, count: int, lam: float) -> Tensor:
    """Graph cut: near all rows, far from the picks (Iyer et al., ALT 2021, arXiv 2006.15412).

    Maximises lam sum_{i in V, j in S} s_ij - sum_{i, j in S} s_ij with s = (1 + cos) / 2, greedily. Up to constants the
    gain of a row x of unit length is <x, lam sum_V v - 2 sum_S v>: no n x n kernel is needed.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        lam: weight of nearness to all; from 2 on, the function never falls as rows are added.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    everyone = torch.arange(len(vectors))
    norms = vectors.squared_norms().sqrt()
    # A vector of length 0 is at right angles to all.
    inverse = torch.where(norms > 0, 1 / norms, 0.0)
    start = lam * inverse * vectors.dots(everyone, everyone, inverse)
    return _running(vectors, start, torch.zeros_like(start), inverse, torch.ones_like(norms), count)


def _running(vectors: Vectors, start: Tensor, drift: Tensor, factors: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Picks the row of the largest start + t drift - 2 sum_S <x, s> for t = 1, 2, ..., each row once.

    The sums run in whatever precision the kernel has. Rows that its error could bring to the top are compared in
    float64, so that the picks depend neither on the error nor on where a row stands.

    Args:
        vectors: n rows.
        start: float64 [n].
        drift: float64 [n].
        factors: float64 [n], what each vector is multiplied by.
        lengths: float64 [n], norms after that.
        count: rows to pick.
    """
    picks, longest = torch.empty(count, dtype=torch.int64), float(lengths.max())
    value, taken = start.clone(), torch.zeros(len(start), dtype=torch.bool)
    scale = float(start.abs().max()) + longest**2
    for index in range(count):
        value += drift
        open_value = value.masked_fill(taken, -torch.inf)
        slack = 2 * (index + 1) * _PRECISION * longest**2 + 2.0**-40 * scale
        near = (open_value >= open_value.max() - 2 * slack).nonzero().flatten()
        best = int(near[0])
        if len(near) > 1:
            before = picks[:index]
            sums = factors[near] * vectors.dots(near, before, factors[before])
            exact = start[near] + (index + 1) * drift[near] - 2 * sums
            best = int(near[first_largest(exact, scale)])
        picks[index], taken[best] = best, True
        if index + 1 < count:
            value -= 2 * factors[best] * factors * vectors.kernel(best)
    return picks
