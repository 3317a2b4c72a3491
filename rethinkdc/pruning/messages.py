"""Messages between neighbours (Maharana et al., D2 Pruning, ICLR 2024, arXiv 2310.07931, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.neighbours import Neighbours
from rethinkdc.pruning.ties import first_largest


def gather_scores(scores: Tensor, neighbours: Neighbours) -> Tensor:
    """Forward pass: each score and those of its neighbours, which weigh exp(-distance). Float64 [n].

    Args:
        scores: float64 [n], not negative.
        neighbours: of each row.
    """
    return scores + (torch.exp(-neighbours.distances) * scores[neighbours.positions]).sum(1)


def pick_apart(values: Tensor, neighbours: Neighbours, count: int, gamma: float) -> Tensor:
    """Reverse pass: picks the largest value again and again, each time taking exp(-gamma d) of it from its neighbours.

    Args:
        values: float64 [n], in the order in which ties are broken.
        neighbours: of each row.
        count: rows to pick, at most n.
        gamma: how fast a pick's influence fades with the distance d; 0 = not at all.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    left, scale = values.clone(), float(values.abs().max())
    taken = torch.zeros(len(values), dtype=torch.bool)
    shares = torch.exp(-gamma * neighbours.distances)
    picks = torch.empty(count, dtype=torch.int64)
    for index in range(count):
        best = first_largest(left.masked_fill(taken, -torch.inf), scale)
        picks[index], taken[best] = best, True
        left[neighbours.positions[best]] -= shares[best] * left[best]
    return picks
