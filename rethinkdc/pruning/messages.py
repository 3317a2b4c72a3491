"""Messages between neighbours (Maharana et al., D2 Pruning, ICLR 2024, arXiv 2310.07931, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.neighbours import Neighbours
from rethinkdc.pruning.ties import first_largest
from rethinkdc.training.checkpoint import Resumable


def gather_scores(scores: Tensor, neighbours: Neighbours) -> Tensor:
    """Forward pass: each score and those of its neighbours, which weigh exp(-distance). Float64 [n].

    Args:
        scores: float64 [n], not negative.
        neighbours: of each row.
    """
    return scores + (torch.exp(-neighbours.distances) * scores[neighbours.positions]).sum(1)


def pick_apart(
    values: Tensor, neighbours: Neighbours, count: int, gamma: float, kept: Resumable | None = None
) -> Tensor:
    """Reverse pass: picks the largest value again and again, each time taking exp(-gamma d) of it from its neighbours.

    Args:
        values: float64 [n], in the order in which ties are broken.
        neighbours: of each row.
        count: rows to pick, at most n.
        gamma: how fast a pick's influence fades with the distance d; 0 = not at all.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    left, scale = values.clone(), float(values.abs().max())
    greedy = Greedy(count, {"left": left}, kept)
    taken, shares = greedy.taken(len(values)), torch.exp(-gamma * neighbours.distances)
    for _ in greedy.left:
        best = first_largest(left.masked_fill(taken, -torch.inf), scale)
        taken[best] = True
        left[neighbours.positions[best]] -= shares[best] * left[best]
        greedy.add(best)
    return greedy.picks
