"""Mean and standard deviation of a few values."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """``deviation``: the sample standard deviation (n - 1); None for one value."""

    mean: float
    deviation: float | None
    n: int


def describe(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value; neither depends on the values' order."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.mean(values), deviation, len(values))
