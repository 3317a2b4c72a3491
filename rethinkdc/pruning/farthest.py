"""Farthest-point traversal: each pick is the row farthest from all picks (Sener and Savarese, arXiv 1708.00489)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.ties import descending, first_largest, rounding
from rethinkdc.pruning.vectors import CHUNK, Vectors
from rethinkdc.training.checkpoint import Resumable

_BLOCK = 256
"""Rows among which picks are made before all rows are looked at again."""


def farthest_points(
    vectors: Vectors, count: int, first: int = 0, spared: float = 0.0, kept: Resumable | None = None
) -> Tensor:
    """Picks the row whose distance to the nearest pick is largest, again and again (k-center greedy, 2-approximation).

    Exact, but not one pass over all rows for each pick: distances to the nearest pick only shrink, so the farthest rows
    of one pass are enough for as long as the best of them stays beyond all others. What a pass has to make up for is
    one matrix product.

    Args:
        vectors: n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        first: position of the first pick.
        spared: share of the rows that lie farthest from the picks and are passed over as outliers, at each pick.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order. Memory: a few numbers for each row, and for each pick.
    """
    norms = vectors.squared_norms()
    scale = 4 * float(norms.max())
    apart = torch.full((len(vectors),), torch.inf, dtype=torch.float64)
    greedy, skipped = Greedy(count, {"apart": apart}, kept), min(int(spared * len(vectors)), len(vectors) - count)
    further = torch.tensor([first])
    while greedy.left:
        if len(greedy.picks):
            further = _from_block(vectors, norms, apart, len(greedy.left), scale, skipped)
        _approach(vectors, norms, apart, further)
        greedy.add(further)
    return greedy.picks


def _approach(vectors: Vectors, norms: Tensor, apart: Tensor, picks: Tensor) -> None:
    """Lowers all squared distances to the nearest pick by new picks, which are never farthest again."""
    for rows in torch.arange(len(apart)).split(CHUNK):
        apart[rows] = torch.minimum(apart[rows], _squared(vectors, norms, rows, picks).amin(1))
    apart[picks] = -torch.inf


def _squared(vectors: Vectors, norms: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Squared distances float64 [a, b]; copies may be a rounding away from 0, which no comparison sees."""
    return (norms[left, None] + norms[right] - 2 * vectors.products(left, right)).clamp_(min=0)


def _from_block(vectors: Vectors, norms: Tensor, apart: Tensor, wanted: int, scale: float, skipped: int) -> Tensor:
    """Picks from the farthest rows while none of the others can be farther: int64, at least one."""
    order = descending(apart, scale)
    # The first pick knows all rows, however many equal it.
    first = first_largest(apart, scale) if not skipped else int(order[skipped])
    if skipped > _BLOCK:
        return torch.tensor([first])
    order = order[order != first]
    # Positions of the block in ascending order, so that the lower one wins a tie.
    block = torch.cat([torch.tensor([first]), order[: skipped + _BLOCK - 1]]).sort().values
    beyond = float(apart[order[skipped + _BLOCK - 1 :]].amax()) if len(order) >= skipped + _BLOCK else -torch.inf
    beyond += rounding(apart, scale)
    inside, among, picks = apart[block], _squared(vectors, norms, block, block), [int((block == first).nonzero())]
    while len(picks) < wanted:
        inside = torch.minimum(inside, among[picks[-1]])
        inside[picks] = -torch.inf
        best = first_largest(inside, scale) if not skipped else int(descending(inside, scale)[skipped])
        if not float(inside[best]) > beyond:
            break
        picks.append(best)
    return block[picks]
