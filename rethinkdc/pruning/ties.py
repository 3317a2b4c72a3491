"""Ties: rows that a method cannot tell apart are taken by rank, whatever order, chunk or thread computed them.

The last bits of a float64 sum depend on where its row stands. Rows are therefore handed to a method in the order of
their ranks, and numbers are compared after :func:`settled` took those bits away: then the lower position wins.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rethinkdc.pruning.classwise import Choice, Choose

_KEPT_BITS = 40


def by_rank(ranks: Tensor, choose: Choose) -> Choose:
    """Lets ``choose`` see its rows in the order of their ranks: it needs no tie-break but the lower position.

    Args:
        ranks: int64 [N], a rank of each row of the training set.
        choose: picks positions among the rows that it is given.
    """

    def chosen(rows: Tensor, count: int) -> Choice:
        order = torch.argsort(ranks[rows])
        choice = choose(rows[order], count)
        return Choice(order[choice.picks], choice.weights)

    return chosen


def settled(values: Tensor, scale: float | None = None) -> Tensor:
    """Rounds numbers so far that the order of a sum no longer shows: float64, same shape.

    Args:
        values: floating point; may be infinite.
        scale: magnitude of the terms that were added up, where they cancel; None = the largest finite value.
    """
    values = values.to(torch.float64)
    step = rounding(values, scale)
    return torch.round_(values / step).mul_(step) if step else values


def rounding(values: Tensor, scale: float | None = None) -> float:
    """How far apart numbers may be that are taken for equal; ``scale`` as for :func:`settled`."""
    if scale is None:
        finite = values[torch.isfinite(values)]
        scale = float(finite.abs().max()) if len(finite) else 0.0
    # A power of two: whole numbers and halves lie in the middle of a step, never on an edge.
    return 2.0 ** (math.frexp(scale)[1] - _KEPT_BITS) if scale else 0.0


def largest(values: Tensor, scale: float | None = None) -> Tensor:
    """Which values of each row (the last dimension) are its largest or equal it: bool, same shape.

    Measured from the largest and not on a grid, an edge of which equals may lie astride.
    """
    return values >= values.amax(-1, keepdim=True) - rounding(values, scale)


def first_largest(values: Tensor, scale: float | None = None) -> int:
    """Position of the largest value of a vector, the first among equals."""
    return int(largest(values, scale).nonzero()[0, 0])


def ascending(values: Tensor, scale: float | None = None) -> Tensor:
    """Positions from the smallest value to the largest, equals in their order: int64 [n]."""
    return torch.argsort(settled(values, scale), stable=True)


def descending(values: Tensor, scale: float | None = None) -> Tensor:
    """Positions from the largest value to the smallest, equals in their order: int64 [n]."""
    return torch.argsort(settled(values, scale), stable=True, descending=True)
