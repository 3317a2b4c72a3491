"""Mean and standard deviation of a few values."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """``deviation``: the sample standard deviation (n - 1); None for one value."""

    mean: float
    deviation: float | None
    n: int


def describe(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value; neither depends on the values' order."""
    n, mean = len(values), mean_of(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None
    return Spread(mean, deviation, n)


def mean_of(values: Collection[float]) -> float:
    """The mean of at least one value; the sum is rounded once, so that their order does not matter."""
    return math.fsum(values) / len(values)
