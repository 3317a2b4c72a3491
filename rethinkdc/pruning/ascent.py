"""Picks that lower a validation loss after one step (Killamsetty et al., GLISTER, AAAI 2021, arXiv 2012.10630)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.ties import descending


def pick_by_step(gradients: LastLayer, count: int, rounds: int, step: float) -> Tensor:
    """Picks rows whose gradients agree with the validation gradient after a step on those picked before.

    In each round the rows with the largest <g_i, grad L_V(theta - step * sum_S g_j)> are added, in the first-order
    Taylor form of GLISTER's gain; then the last layer takes the step, and the validation gradient is computed anew.

    Args:
        gradients: of n rows, in the order in which ties are broken; they are the validation rows too.
        count: rows to pick, at most n.
        rounds: r; count / r rows are picked in each (one in each of ``count`` rounds, where there are fewer rows).
        step: learning rate of the step.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    rounds = min(rounds, count)
    picks = torch.empty(0, dtype=torch.int64)
    taken = torch.zeros(len(gradients), dtype=torch.bool)
    moved = torch.zeros(gradients.shape, dtype=torch.float64)
    for index in range(rounds):
        gains = gradients.against(gradients.total(moved))
        size = (index + 1) * count // rounds - index * count // rounds
        best = descending(gains.masked_fill(taken, -torch.inf))[:size]
        taken[best] = True
        moved -= step * gradients.sum_of(best)
        picks = torch.cat([picks, best])
    return picks
