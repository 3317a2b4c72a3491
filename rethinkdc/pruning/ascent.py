"""Picks that lower a validation loss after one step (Killamsetty et al., GLISTER, AAAI 2021, arXiv 2012.10630)."""

from __future__ import annotations

from bisect import bisect_right

import torch
from torch import Tensor

from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.ties import descending
from rethinkdc.training.checkpoint import Resumable


def pick_by_step(gradients: LastLayer, count: int, rounds: int, step: float, kept: Resumable | None = None) -> Tensor:
    """Picks rows whose gradients agree with the validation gradient after a step on those picked before.

    In each round the rows with the largest <g_i, grad L_V(theta - step * sum_S g_j)> are added, in the first-order
    Taylor form of GLISTER's gain; then the last layer takes the step, and the validation gradient is computed anew.

    Args:
        gradients: of n rows, in the order in which ties are broken; they are the validation rows too.
        count: rows to pick, at most n.
        rounds: r; count / r rows are picked in each (one in each of ``count`` rounds, where there are fewer rows).
        step: learning rate of the step.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    rounds = min(rounds, count)
    moved = torch.zeros(gradients.shape, dtype=torch.float64)
    greedy = Greedy(count, {"moved": moved}, kept)
    taken = greedy.taken(len(gradients))
    ends = [(index + 1) * count // rounds for index in range(rounds)]
    for end in ends[bisect_right(ends, len(greedy.picks)) :]:
        gains = gradients.against(gradients.total(moved))
        best = descending(gains.masked_fill(taken, -torch.inf))[: end - len(greedy.picks)]
        taken[best] = True
        moved -= step * gradients.sum_of(best)
        greedy.add(best)
    return greedy.picks
