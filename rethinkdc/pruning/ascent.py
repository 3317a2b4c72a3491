"""Picks that lower a validation loss after one step (Killamsetty et al., GLISTER, AAAI 2021, arXiv 2012.10630)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.ties import descending
from rethinkdc.training.checkpoint import Resumable

_VANISHED = 2.0**-24
"""Share of all gradients' norms, as they were at first, below which their sum says nothing: the step of float32, in
which the network computed what they are made of."""


class Ascent(NamedTuple):
    """Distinct positions int64 [k], in pick order, and how often the step was taken back."""

    picks: Tensor
    restarts: int


def pick_by_step(
    gradients: LastLayer,
    groups: Tensor,
    counts: Sequence[int],
    rounds: int,
    step: float,
    kept: Resumable | None = None,
) -> Ascent:
    """Picks rows whose gradients agree with the validation gradient after a step on those picked before.

    In each round the rows with the largest <g_i, grad L_V(theta - step * sum_S g_j)> are added, in the first-order
    Taylor form of GLISTER's gain; then the last layer takes the step, and the validation gradient is computed anew.

    Where the step has brought the validation loss to 0, its gradient has vanished, and what is left of it is rounding.
    Then the step is taken back: S is empty again, and the rows that follow are picked as the first ones were.

    Args:
        gradients: of n rows, in the order in which ties are broken; all of them are the validation rows too.
        groups: int64 [n], the group of each row, such as its class; all share one step and one validation loss.
        counts: rows to pick of each group, at most as many as it has.
        rounds: r; a group's count / r rows are picked in each (one in each, where all counts are smaller than r).
        step: learning rate of the step.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        The picks, round by round, in each group by group.
    """
    rounds = min(rounds, max(counts))
    moved, restarts = torch.zeros(gradients.shape, dtype=torch.float64), torch.zeros(1, dtype=torch.int64)
    greedy = Greedy(sum(counts), {"moved": moved, "restarts": restarts}, kept)
    taken = greedy.taken(len(gradients))
    ends = [[(index + 1) * count // rounds for count in counts] for index in range(rounds)]
    smallest = _VANISHED * float(gradients.squared_norms().sqrt().sum())
    begun = bisect_right([sum(end) for end in ends], len(greedy.picks))
    before = ends[begun - 1] if begun else [0] * len(counts)
    for end in ends[begun:]:
        total = gradients.total(moved)
        if float(total.norm()) <= smallest and bool(moved.any()):
            moved.zero_()
            restarts += 1
            total = gradients.total()
        gains = gradients.against(total).masked_fill(taken, -torch.inf)
        best = _best(gains, groups, torch.tensor(end) - torch.tensor(before))
        taken[best] = True
        moved -= step * gradients.sum_of(best)
        before = end
        greedy.add(best)
    return Ascent(greedy.picks, int(restarts))


def _best(gains: Tensor, groups: Tensor, wanted: Tensor) -> Tensor:
    """Positions of the largest gains of each group, as many as are wanted of it, group by group: int64."""
    order = descending(gains)
    order = order[torch.argsort(groups[order], stable=True)]
    sizes = torch.bincount(groups, minlength=len(wanted))
    place = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[groups[order]]
    return order[place < wanted[groups[order]]]
