"""One class at a time, or all rows together: what every selector does around its own choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.data.by_class import rows_by_class
from rethinkdc.data.chunks import at_once, joined
from rethinkdc.errors import UnsupportedError
from rethinkdc.types import Budget, Passing


class Choice(NamedTuple):
    """Picked positions in pick order (int64 [k], no repeats) and, for weighted selectors, a weight of each."""

    picks: Tensor
    weights: Tensor | None = None


Choose = Callable[[Tensor, int], Choice]
"""Picks ``count`` of the given rows (int64 [n]): returns *positions* among them, 0..n-1."""


def random_ranks(rows: int, generator: torch.Generator) -> Tensor:
    """A seeded random rank of each row, int64 [rows]: the lower one wins where a method cannot tell two rows apart."""
    return torch.randperm(rows, generator=generator)


def groups_of(targets: Tensor, budget: Budget, *, balanced: bool) -> list[tuple[Tensor, int]]:
    """Rows that are picked from together, int64 [n], and how many: those of each class when ``balanced``, else all.

    Args:
        targets: int64 [N].
        budget: its ``total`` rows are picked, ``per_class`` of each class when ``balanced``.
        balanced: one class at a time.

    Raises:
        UnsupportedError: fewer rows than asked for.
    """
    counts: tuple[int, ...] = (budget.total,)
    groups = [torch.arange(len(targets))]
    if balanced:
        groups, counts = rows_by_class(targets, budget.classes), budget.per_class
    for rows, count in zip(groups, counts, strict=True):
        if count > len(rows):
            raise UnsupportedError(f"Cannot pick {count} of {len(rows)} rows. Choose a smaller --ipc.")
    return list(zip(groups, counts, strict=True))


def choose_rows(
    targets: Tensor, budget: Budget, *, balanced: bool, choose: Choose, passing: Passing = at_once
) -> Choice:
    """Lets ``choose`` pick the budget's rows, one class after the other (``balanced``) or from all rows at once.

    Args:
        targets: int64 [N].
        budget: its ``total`` rows are picked, ``per_class`` of each class when ``balanced``.
        balanced: one class at a time, so that memory is bounded by the largest class.
        choose: picks from rows of one class, or from all.
        passing: keeps what is picked of each class.

    Returns:
        Rows (not positions) int64 [total], class by class when ``balanced``; weights float64 [total] where given.

    Raises:
        UnsupportedError: fewer rows than asked for.
    """
    groups = groups_of(targets, budget, balanced=balanced)

    def picked(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        for span in spans:
            rows, count = groups[span.start]
            choice = choose(rows, count)
            assert len(choice.picks) == count, f"{len(choice.picks)} rows were picked in place of {count}"
            yield {
                "picks": rows[choice.picks],
                **({} if choice.weights is None else {"weights": choice.weights}),
            }

    chunks = passing("picks", len(groups), 1, picked, unit="classes" if balanced else "choices")
    return Choice(joined(chunks, "picks"), joined(chunks, "weights") if "weights" in chunks[0] else None)
