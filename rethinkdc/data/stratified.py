"""Stratified splits, folds and draws: every class is represented as in the whole."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.seeds import generator


def stratified_split(targets: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Holds out a fraction of the rows, of every class alike.

    Args:
        targets: int64 [N], class indices.
        fraction: share of the rows to hold out, between 0 and 1; ``round(N * fraction)`` rows are.
        seed: of the draw.

    Returns:
        int64 rows kept and int64 rows held out, each sorted.

    Raises:
        RequestError: the fraction leaves one side empty.
    """
    count = round(len(targets) * fraction)
    if not 0 < count < len(targets):
        raise RequestError(
            f"A held-out fraction of {fraction} takes {count} of {len(targets)} rows; both sides need at least one row."
        )
    held = stratified_rows(targets, count, seed)
    kept = torch.ones(len(targets), dtype=torch.bool)
    kept[held] = False
    return kept.nonzero().flatten(), held


def stratified_rows(targets: Tensor, count: int, seed: int) -> Tensor:
    """Draws exactly ``count`` rows, divided over the classes as all rows are.

    Args:
        targets: int64 [N], class indices.
        count: rows to draw.
        seed: of the draw.

    Returns:
        int64 [count], sorted, no row twice. Each class gets its proportional share by largest remainder (of equal
        remainders the lower class index).

    Raises:
        RequestError: ``count`` is negative or larger than N.
    """
    if not 0 <= count <= len(targets):
        raise RequestError(f"Cannot draw {count} of {len(targets)} rows: the count must be in 0..{len(targets)}.")
    order, places = _shuffle_within_classes(targets, seed)
    quotas = proportional(torch.bincount(targets), count)
    return order[places < quotas[targets[order]]].sort().values


def stratified_parts(targets: Tensor, parts: int, seed: int) -> Tensor:
    """Draws one in ``parts`` rows of each class, rounded half up, and at least one of a class that has any.

    Args:
        targets: int64 [N], class indices.
        parts: one in so many.
        seed: of the draw.

    Returns:
        int64, sorted, no row twice.
    """
    order, places = _shuffle_within_classes(targets, seed)
    sizes = torch.bincount(targets)
    quotas = ((2 * sizes + parts) // (2 * parts)).clamp(min=1)
    return order[places < quotas[targets[order]]].sort().values


def stratified_folds(targets: Tensor, folds: int, seed: int) -> Tensor:
    """Assigns rows to folds: sizes of folds differ by at most 1, in all and within each class.

    Args:
        targets: int64 [N], class indices.
        folds: number of folds.
        seed: of the assignment.

    Returns:
        int64 [N], the fold of each row in 0..folds - 1.
    """
    order, _ = _shuffle_within_classes(targets, seed)
    assigned = torch.empty_like(order)
    assigned[order] = torch.arange(len(order)) % folds
    return assigned


def proportional(sizes: Tensor, count: int) -> Tensor:
    """Divides ``count`` over classes of ``sizes`` int64 [C] by largest remainder: int64 [C] of sum ``count``.

    In integers throughout, so that no platform rounds differently.
    """
    total = max(int(sizes.sum()), 1)
    quotas = sizes * count // total
    remainders = sizes * count % total
    missing = count - int(quotas.sum())
    winners = remainders.argsort(descending=True, stable=True)[:missing]
    quotas[winners] += 1
    return quotas


def _shuffle_within_classes(targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Sorts rows by class in random order within each, and tells every row's place within its class."""
    shuffled = torch.randperm(len(targets), generator=generator(seed))
    order = shuffled[targets[shuffled].argsort(stable=True)]
    sizes = torch.bincount(targets)
    starts = sizes.cumsum(0) - sizes
    return order, torch.arange(len(targets)) - starts[targets[order]]
