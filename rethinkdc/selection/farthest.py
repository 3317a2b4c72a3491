"""Farthest-point traversal: each pick is the row farthest from all picks (Sener and Savarese, arXiv 1708.00489)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.selection.ties import descending, settled
from rethinkdc.selection.vectors import CHUNK, Vectors

_BLOCK = 256
"""Rows among which picks are made before all rows are looked at again."""


def farthest_points(vectors: Vectors, count: int, first: int = 0, spared: float = 0.0) -> Tensor:
    """Picks the row whose distance to the nearest pick is largest, again and again (k-center greedy, 2-approximation).

    Exact, but not one pass over all rows for each pick: distances to the nearest pick only shrink, so the farthest rows
    of one pass are enough for as long as the best of them stays beyond all others. What a pass has to make up for is
    one matrix product.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        first: position of the first pick.
        spared: share of the rows that lie farthest from the picks and are passed over as outliers, at each pick.

    Returns:
        Distinct positions int64 [count], in pick order. Memory: a few numbers for each row, and for each pick.
    """
    norms = vectors.squared_norms()
    scale = 4 * float(norms.max())
    apart = torch.full((len(vectors),), torch.inf, dtype=torch.float64)
    picks = torch.tensor([first])
    _approach(vectors, norms, apart, picks)
    while len(picks) < count:
        skipped = min(int(spared * len(vectors)), len(vectors) - count)
        found = _from_block(vectors, norms, apart, count - len(picks), scale, skipped)
        _approach(vectors, norms, apart, found)
        picks = torch.cat([picks, found])
    return picks


def _approach(vectors: Vectors, norms: Tensor, apart: Tensor, picks: Tensor) -> None:
    """Lowers all squared distances to the nearest pick by new picks, which are never farthest again."""
    for rows in torch.arange(len(apart)).split(CHUNK):
        apart[rows] = torch.minimum(apart[rows], _squared(vectors, norms, rows, picks).amin(1))
    apart[picks] = -torch.inf


def _squared(vectors: Vectors, norms: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Squared distances float64 [a, b]; copies may be a rounding away from 0, which :func:`settled` takes off."""
    return (norms[left, None] + norms[right] - 2 * vectors.products(left, right)).clamp_(min=0)


def _from_block(vectors: Vectors, norms: Tensor, apart: Tensor, wanted: int, scale: float, skipped: int) -> Tensor:
    """Picks from the farthest rows while none of the others can be farther: int64, at least one."""
    order = descending(apart, scale)[skipped : skipped + _BLOCK + 1]
    # With outliers passed over, whoever is next depends on all rows: one pick for each pass.
    block, wanted = (order[:_BLOCK], wanted) if not skipped else (order[:1], 1)
    beyond = float(settled(apart[order[_BLOCK:]], scale)[0]) if len(order) > _BLOCK else -torch.inf
    inside, among, found = apart[block].clone(), None, list[int]()
    # Positions of the block in ascending order, so that the lower one wins a tie.
    block, ascending = block.sort()
    inside = inside[ascending]
    while len(found) < wanted:
        values = settled(inside, scale)
        best = int(torch.argmax(values))
        if found and not float(values[best]) > beyond:
            break
        found.append(best)
        if len(found) < wanted:
            among = _squared(vectors, norms, block, block) if among is None else among
            inside = torch.minimum(inside, among[best])
            inside[best] = -torch.inf
    return block[found]
