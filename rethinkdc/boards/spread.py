"""Means, standard deviations and paired differences of a few values, as boards show them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """``deviation``: the sample standard deviation (n - 1); None for one value."""

    mean: float
    deviation: float | None
    n: int


@dataclass(frozen=True)
class Difference(Spread):
    """A mean of paired differences; it lies within ``half_width`` at 95 % (Student's t, n - 1); None for one pair."""

    half_width: float | None


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.mean(values), deviation, len(values))


def difference(values: Sequence[float]) -> Difference:
    """Mean, standard deviation and t interval of at least one paired difference."""
    paired = spread(values)
    half = None
    if paired.deviation is not None:
        from scipy.stats import t

        half = float(t.ppf((1 + CONFIDENCE) / 2, paired.n - 1)) * paired.deviation / math.sqrt(paired.n)
    return Difference(paired.mean, paired.deviation, paired.n, half)
