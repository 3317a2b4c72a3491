"""Picking rows by a score: exact budgets, seeded tie-breaks, the same rows on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.types import Direction


class Picked(NamedTuple):
    """Rows in pick order (int64 [k]) and how many rows outside share their score with the last row inside."""

    rows: Tensor
    ties: int


def pick(
    scores: Tensor,
    targets: Tensor,
    per_class: int | Sequence[int],
    classes: int,
    direction: Direction,
    balanced: bool,
    generator: torch.Generator,
    *,
    drop_easiest: float = 0.0,
    drop_hardest: float = 0.0,
) -> Picked:
    """Picks so many rows of each class from one end, or the middle, of a score.

    Args:
        scores: float [N], larger = harder; may be infinite; rows with NaN were not scored and are never picked.
        targets: int64 [N].
        per_class: rows of every class, or of each; where not ``balanced`` their sum counts.
        classes: number of classes.
        direction: ``easy`` keeps the lowest, ``hard`` the highest, ``middle`` those around the median rank.
        balanced: the same number from each class.
        generator: breaks ties.
        drop_easiest: share of the rows (of each class when ``balanced``) that is left out first, from the easy end.
        drop_hardest: the same from the hard end.

    Returns:
        Class by class when balanced, best first; the ties are summed over the classes.

    Raises:
        UnsupportedError: fewer rows than asked for.
    """
    ranked = _ranking(scores, generator)
    ranked = ranked[~torch.isnan(scores[ranked])]

    def cut(group: Tensor, count: int) -> Picked:
        first, beyond = int(drop_easiest * len(group)), len(group) - int(drop_hardest * len(group))
        return _cut(group[first : max(first, beyond)], scores, count, direction)

    counts = (per_class,) * classes if isinstance(per_class, int) else per_class
    if not balanced:
        return cut(ranked, sum(counts))
    by_class = targets[ranked]
    # A stable sort by class keeps the order of the score inside each class.
    grouped = ranked[torch.argsort(by_class, stable=True)]
    groups = torch.split(grouped, torch.bincount(by_class, minlength=classes).tolist())
    cuts = [cut(group, count) for group, count in zip(groups, counts, strict=True)]
    return Picked(torch.cat([cut.rows for cut in cuts]), sum(cut.ties for cut in cuts))


def _ranking(scores: Tensor, generator: torch.Generator) -> Tensor:
    """Rows from easiest to hardest, equal scores in a seeded random order."""
    shuffled = torch.randperm(len(scores), generator=generator)
    return shuffled[torch.argsort(scores[shuffled], stable=True)]


def _cut(ranked: Tensor, scores: Tensor, count: int, direction: Direction) -> Picked:
    if count > len(ranked):
        raise UnsupportedError(
            f"Cannot pick {count} of {len(ranked)} rows that are scored and not dropped. Choose a smaller --ipc."
        )
    start = {"easy": 0, "hard": len(ranked) - count, "middle": (len(ranked) - count) // 2}[direction]
    inside = ranked[start : start + count]
    outside = torch.cat([ranked[:start], ranked[start + count :]])
    edges = scores[inside[[0, -1]]] if count else scores.new_empty(0)
    ties = int(torch.isin(scores[outside], edges).sum())
    return Picked(inside.flip(0) if direction == "hard" else inside, ties)


def random_rows(targets: Tensor, per_class: int | Sequence[int], classes: int, generator: torch.Generator) -> Tensor:
    """``per_class`` uniform rows of every class, or of each, without repeats: int64 [total], class by class."""
    return pick(
        torch.rand(len(targets), generator=generator), targets, per_class, classes, "easy", True, generator
    ).rows
