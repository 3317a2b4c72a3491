"""Scores of training dynamics: pure functions of the trace's columns, each float32 [T, N] and memory-mapped.

They read epoch by epoch, or a slice of the rows at a time, so that a trace of any length is never copied whole; sums
are taken in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_SLICE_NUMBERS = 1 << 22
"""Numbers of a windowed slice (rows x windows x epochs in a window) that are worked on at a time: 32 MiB."""


def epoch_mean(values: Tensor) -> Tensor:
    """Mean over epochs: [T, N] -> float32 [N]."""
    total = torch.zeros(values.shape[1], dtype=torch.float64)
    for epoch in values:
        total += epoch
    return (total / len(values)).to(torch.float32)


def forgetting_events(correct: Tensor, never_learned: float) -> Tensor:
    """How often a row was right at one visit and wrong at the next (Toneva et al., arXiv 1812.05159).

    Args:
        correct: [T, N], 1 where the training visit of that epoch was classified correctly, else 0.
        never_learned: what a row that was never right gets in place of its count, which would be 0.

    Returns:
        Float32 [N].
    """
    events = torch.zeros(correct.shape[1], dtype=torch.float32)
    learned = correct[0] > 0
    before = learned.clone()
    for epoch in correct[1:]:
        now = epoch > 0
        events += before & ~now
        learned |= now
        before = now
    return torch.where(learned, events, torch.full_like(events, never_learned))


def largest_probability(p: Tensor, margin: Tensor) -> Tensor:
    """The predicted class's probability, from that of the true class and its margin over the others: same shape.

    The largest other probability is p - margin; where the true class is the predicted one, p is the larger.
    """
    return torch.maximum(p, p - margin)


def windowed_mean(values: Tensor, window: int, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean over all windows of ``window`` following epochs of what ``measure`` says of each.

    Args:
        values: [T, N].
        window: J epochs, at most T.
        measure: float64 [K, n, J] -> [K, n], K = T - J + 1 windows of n rows.

    Returns:
        Float32 [N].
    """
    return _by_slices(values, window, lambda windows: measure(windows).mean(0))


def spread(windows: Tensor) -> Tensor:
    """Standard deviation (n - 1) of each window: [K, n, J] -> [K, n] (Dyn-Unc, arXiv 2306.05175)."""
    return windows.std(dim=-1)


def spread_of_the_uncertain(windows: Tensor) -> Tensor:
    """Standard deviation times 1 - mean of each window: [K, n, J] -> [K, n] (DUAL, arXiv 2502.06905)."""
    deviation, mean = torch.std_mean(windows, dim=-1)
    return deviation * (1 - mean)


def weighted_changes(changes: Tensor, window: int, decay: float) -> Tensor:
    """TDDS: how unevenly a row's prediction moves, the late windows weighing most (arXiv 2311.13613).

    In a window of J epochs there are J - 1 changes q; v = ||q - mean(q)||_2. Window k of K weighs
    ``decay`` (1 - ``decay``)^(K - 1 - k), so the last one weighs ``decay``.

    Args:
        changes: [T, N], change of each epoch's prediction against the epoch before; the first epoch's is not used.
        window: J, 3 to T.
        decay: 0 to 1.

    Returns:
        Float32 [N].
    """
    count = len(changes) - window + 1
    weights = decay * (1 - decay) ** torch.arange(count - 1, -1, -1, dtype=torch.float64)

    def measure(windows: Tensor) -> Tensor:
        deviation = (windows - windows.mean(-1, keepdim=True)).square().sum(-1).sqrt()
        return (weights[:, None] * deviation).sum(0)

    return _by_slices(changes[1:], window - 1, measure)


def _by_slices(values: Tensor, window: int, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies ``reduce`` (float64 [K, n, J] -> [n]) to the windows of a bounded number of rows at a time."""
    epochs, rows = values.shape
    step = max(1, _SLICE_NUMBERS // ((epochs - window + 1) * window))
    reduced = torch.empty(rows, dtype=torch.float32)
    for start in range(0, rows, step):
        part = values[:, start : start + step].double()
        reduced[start : start + step] = reduce(part.unfold(0, window, 1))
    return reduced
