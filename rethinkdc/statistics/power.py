"""How many pairs a paired t test needs to find a difference of a given size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rethinkdc.statistics.paired import CONFIDENCE, critical_t
from rethinkdc.statistics.spread import Spread

POWER = 0.8
"""How often a difference that is there shall be found."""
ASSURANCE = 0.8
"""Of the upper bound of a deviation from few pairs: Browne (Statistics in Medicine 14, 1995) plans with it."""
_MOST_PAIRS = 10**9
_LARGEST = 37.0
"""Noncentrality beyond which the noncentral t distribution of scipy fails."""


@dataclass(frozen=True)
class Deviation:
    """A standard deviation of paired differences, estimated with ``freedom`` degrees of freedom."""

    value: float
    freedom: int

    @property
    def bound(self) -> float:
        """What the true deviation does not exceed, one-sided at 80 %: s sqrt(f / chi2_f(20 %))."""
        from scipy.special import chdtri

        return self.value * math.sqrt(self.freedom / float(chdtri(self.freedom, ASSURANCE)))


def pool_deviations(differences: Iterable[Spread]) -> Deviation | None:
    """One deviation of several groups of paired differences, each about its own mean; None where no group has two.

    Groups that share a baseline are not independent: the pooled deviation is right, its degrees of freedom are too
    many.
    """
    known = [(one.deviation, one.n - 1) for one in differences if one.deviation is not None]
    freedom = sum(weight for _, weight in known)
    if not freedom:
        return None
    return Deviation(math.sqrt(sum(weight * value**2 for value, weight in known) / freedom), freedom)


def paired_power(difference: float, deviation: float, pairs: int, claims: int = 1) -> float:
    """The probability that a two-sided paired t test at 5 % / ``claims`` finds ``difference``, in either direction.

    Noncentral t with ``pairs`` - 1 degrees of freedom and noncentrality difference sqrt(pairs) / deviation.

    Args:
        difference: the true mean of the paired differences.
        deviation: their true standard deviation, above 0 and in the same unit.
        pairs: at least 2.
        claims: tests that shall hold together at 5 % (Bonferroni).
    """
    from scipy.special import chdtr, nctdtr

    freedom, critical = pairs - 1, critical_t(1 - (1 - CONFIDENCE) / claims, pairs)
    shift = abs(difference) * math.sqrt(pairs) / deviation
    if shift > _LARGEST:
        # The mean's own error is nothing beside it: what counts is whether the estimated deviation is small enough.
        return float(chdtr(freedom, freedom * (shift / critical) ** 2))
    near, far = map(float, nctdtr(freedom, [shift, -shift], critical))
    # The far tail is no number of scipy's where it is below 1e-10.
    return 1 - near + (0.0 if math.isnan(far) else 1 - far)


def pairs_needed(difference: float, deviation: float, claims: int = 1) -> int:
    """The fewest pairs, at least 2, with which ``difference`` is found in 80 % of studies; see :func:`paired_power`.

    Raises:
        ValueError: the difference is no positive number, or more than a thousand million pairs are needed.
    """
    if not difference > 0:
        raise ValueError(f"a difference to detect must be above 0; found {difference}")
    if deviation == 0 or paired_power(difference, deviation, 2, claims) >= POWER:
        return 2
    few, enough = 2, 4
    while paired_power(difference, deviation, enough, claims) < POWER:
        few, enough = enough, 2 * enough
        if enough > _MOST_PAIRS:
            raise ValueError(f"{difference} is not to be told from 0 beside a deviation of {deviation}")
    while enough - few > 1:
        middle = (few + enough) // 2
        if paired_power(difference, deviation, middle, claims) < POWER:
            few = middle
        else:
            enough = middle
    return enough
