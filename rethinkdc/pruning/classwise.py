"""One class at a time, or all rows together: what every selector does around its own choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.data.by_class import rows_by_class
from rethinkdc.errors import UnsupportedError
from rethinkdc.types import Budget


class Choice(NamedTuple):
    """Picked positions in pick order (int64 [k], no repeats) and, for weighted selectors, a weight of each."""

    picks: Tensor
    weights: Tensor | None = None


Choose = Callable[[Tensor, int], Choice]
"""Picks ``count`` of the given rows (int64 [n]): returns *positions* among them, 0..n-1."""


def random_ranks(rows: int, generator: torch.Generator) -> Tensor:
    """A seeded random rank of each row, int64 [rows]: the lower one wins where a method cannot tell two rows apart."""
    return torch.randperm(rows, generator=generator)


def choose_rows(targets: Tensor, budget: Budget, *, balanced: bool, choose: Choose) -> Choice:
    """Lets ``choose`` pick the budget's rows, one class after the other (``balanced``) or from all rows at once.

    Args:
        targets: int64 [N].
        budget: its ``total`` rows are picked, ``per_class`` of each class when ``balanced``.
        balanced: one class at a time, so that memory is bounded by the largest class.
        choose: picks from rows of one class, or from all.

    Returns:
        Rows (not positions) int64 [total], class by class when ``balanced``; weights float64 [total] where given.

    Raises:
        UnsupportedError: fewer rows than asked for.
    """
    counts: tuple[int, ...] = (budget.total,)
    groups = [torch.arange(len(targets))]
    if balanced:
        groups, counts = rows_by_class(targets, budget.classes), budget.per_class
    choices = []
    for rows, count in zip(groups, counts, strict=True):
        if count > len(rows):
            raise UnsupportedError(f"Cannot pick {count} of {len(rows)} rows. Choose a smaller --ipc.")
        choice = choose(rows, count)
        assert len(choice.picks) == count, f"{len(choice.picks)} rows were picked in place of {count}"
        choices.append(Choice(rows[choice.picks], choice.weights))
    picks = torch.cat([choice.picks for choice in choices])
    weights = [choice.weights for choice in choices if choice.weights is not None]
    return Choice(picks, torch.cat(weights) if weights else None)
