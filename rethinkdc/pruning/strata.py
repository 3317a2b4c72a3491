"""Coverage-centric selection: strata of a score, each given its fair share (Zheng et al., arXiv 2210.15809)."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError


def drop_highest(scores: Tensor, ranks: Tensor, share: float) -> Tensor:
    """Positions that are left when floor(share * n) rows with the highest scores are dropped: int64, ascending.

    Args:
        scores: float [n]; NaN rows (not scored) are dropped too, and do not count.
        ranks: int64 [n], a random rank of each row; of equal scores the lower rank is kept.
        share: 0 to 1.
    """
    order = torch.argsort(ranks, stable=True)
    order = order[torch.argsort(scores[order], stable=True)]
    order = order[~torch.isnan(scores[order])]
    return order[: len(order) - int(share * len(order))].sort().values


def strata_of(scores: Tensor, strata: int) -> Tensor:
    """Which of ``strata`` equal-width strata between the lowest and the highest score a row lies in: int64 [n].

    The last stratum is closed: the highest score belongs to it, also when it is negative or all scores are one.
    Infinite scores lie in the first or last stratum, and the width is that of the finite ones.
    """
    finite = scores[torch.isfinite(scores)].double()
    low, high = (finite.min(), finite.max()) if len(finite) else (torch.zeros(()), torch.zeros(()))
    inner = low + (high - low) * torch.arange(1, strata, dtype=torch.float64) / strata
    return torch.bucketize(scores.double(), inner, right=True)


def fair_shares(sizes: Tensor, count: int, preference: Tensor) -> Tensor:
    """How many of ``count`` rows each stratum gives: as equal as their sizes allow, exact in total.

    The paper's loop visits the strata from the least to the most populated and gives each
    min(size, floor(what remains / strata that remain)): that is a common level, and what the rounding leaves over goes
    to the most populated. Here the level is found at once and ``preference`` says who gets what is left over.

    Args:
        sizes: int64 [S], rows of each stratum.
        count: rows in all, at most the sum of the sizes.
        preference: int64 [S], lower is served first with what is left over.

    Returns:
        Int64 [S], at most ``sizes``, of sum ``count``.

    Raises:
        UnsupportedError: more rows are asked for than the strata hold.
    """
    if count > int(sizes.sum()):
        raise UnsupportedError(f"Cannot pick {count} of {int(sizes.sum())} rows. Choose a smaller --ipc or cut.")
    low, high = 0, count
    while low < high:  # the highest level whose total does not exceed the count
        level = (low + high + 1) // 2
        low, high = (level, high) if int(sizes.clamp(max=level).sum()) <= count else (low, level - 1)
    given = sizes.clamp(max=low)
    order = torch.argsort(preference, stable=True)
    wanting = order[(sizes > given)[order]]
    given[wanting[: count - int(given.sum())]] += 1
    return given


def rotate(count: int, strata: int, generator: torch.Generator) -> Tensor:
    """A random order of strata that are at most as many as the ``count`` rows to pick: int64, at least one."""
    return torch.randperm(max(1, min(strata, count)), generator=generator)


def cover_strata(scores: Tensor, count: int, strata: int, ranks: Tensor, rotation: Tensor | None = None) -> Tensor:
    """CCS's choice: strata of equal width, a fair share of each, uniform inside a stratum.

    Args:
        scores: float [n], larger = harder.
        count: rows to pick.
        strata: how many; with ``rotation`` as many as it orders.
        ranks: int64 [n], a random rank of each row: the lowest of a stratum are its uniform draw.
        rotation: for budgets near or below the number of strata, where the paper's rule gives nothing to the rare ones:
            what is left over goes to strata in this order, see :func:`rotate`. None = the paper's rule.

    Returns:
        Positions int64 [count], stratum by stratum from the easy end.
    """
    strata = strata if rotation is None else len(rotation)
    stratum = strata_of(scores, strata)
    sizes = torch.bincount(stratum, minlength=strata)
    given = fair_shares(sizes, count, -sizes if rotation is None else rotation)
    order = torch.argsort(ranks, stable=True)
    order = order[torch.argsort(stratum[order], stable=True)]
    place = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[stratum[order]]
    return order[place < given[stratum[order]]]
