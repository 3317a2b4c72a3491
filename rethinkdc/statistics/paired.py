"""Paired differences: Student's t interval and test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rethinkdc.statistics.spread import Spread, describe

CONFIDENCE = 0.95
"""Of every interval and of every family of claims."""
_NO_SPREAD = 1e-12
"""Deviations below this share of the mean are rounding: the differences are equal."""


@dataclass(frozen=True)
class Difference(Spread):
    """A mean of paired differences, and what it allows to say; of one pair, or of equal ones, nothing.

    Equal differences have no spread to judge by: fractions of few test images coincide, and t would call them certain.

    Attributes:
        half_width: the mean lies within it at 95 %, taken alone (Student's t, n - 1).
        p: of the two-sided paired t test against no difference, taken alone.
        holm_p: the same, adjusted for all claims of its family; None as long as it stands alone.
        simultaneous: half width of an interval that holds at 95 % together with those of its family; None as
            ``holm_p``.
    """

    half_width: float | None
    p: float | None = None
    holm_p: float | None = None
    simultaneous: float | None = None


def compare_pairs(values: Sequence[float]) -> Difference:
    """Mean, standard deviation, t interval and p of at least one paired difference."""
    paired = describe(values)
    if paired.deviation is None or paired.deviation <= _NO_SPREAD * abs(paired.mean):
        return Difference(paired.mean, paired.deviation, paired.n, None)
    half = critical_t(CONFIDENCE, paired.n) * paired.deviation / math.sqrt(paired.n)
    p = float(judge_means(paired.mean, paired.deviation, paired.n))
    return Difference(paired.mean, paired.deviation, paired.n, half, p)


@lru_cache
def critical_t(confidence: float, n: int) -> float:
    """How many standard errors of a mean of ``n`` an interval at this confidence reaches to each side."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + confidence) / 2))


def judge_means(means: ArrayLike, deviations: ArrayLike, counts: ArrayLike) -> NDArray[np.float64]:
    """Two-sided p that means of ``counts`` values with these deviations are zero, by Student's t.

    Without any spread, and of fewer than two values, it is 1: nothing can be judged.
    """
    from scipy.special import stdtr

    mean, deviation, count = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (means, deviations, counts))
    )
    judged = (count > 1) & (deviation > _NO_SPREAD * np.abs(mean))
    error = np.where(judged, deviation, 1.0) / np.sqrt(np.maximum(count, 1))
    p = 2 * stdtr(np.maximum(count - 1, 1), -np.abs(mean) / error)
    return np.where(judged, p, 1.0)
