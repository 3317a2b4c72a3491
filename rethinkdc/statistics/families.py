"""Families: several claims that are made together, and hold together at 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rethinkdc.statistics.paired import CONFIDENCE, Difference, critical_t


def adjust_holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusts the p values of a family step by step (Holm, Scand. J. Statist. 6, 1979): float [m] -> float64 [m].

    The least is multiplied by m, the next by m - 1, and none is smaller than one before it or larger than 1; equal
    ones stay equal. Rejecting what lies at or below 5 % errs anywhere in the family with at most that probability,
    however the tests depend on each other.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def reject_holm(p: ArrayLike, claims: int) -> float:
    """The least p that Holm's correction does not reject at 5 %: all below it are; infinite where all are rejected.

    It says what :func:`adjust_holm` says, without an adjusted p for each of millions.

    Args:
        p: of the claims, float [k]; those above 5 % may be left out.
        claims: of the family.
    """
    values = np.sort(np.asarray(p, dtype=np.float64))
    failing = np.flatnonzero(values * (claims - np.arange(len(values))) > 1 - CONFIDENCE)
    if len(failing):
        return float(values[failing[0]])
    return math.inf if len(values) == claims else float(np.nextafter(1 - CONFIDENCE, 1))


def judge_family(family: Sequence[Difference]) -> list[Difference]:
    """The same differences with Holm's p and simultaneous intervals; what has no p makes no claim and counts for none.

    The intervals are Bonferroni's: each at 1 - 5 % / m. They hold under any dependence, as differences to one shared
    baseline have it, and with other numbers of pairs in each. The max-t intervals are narrower, but need the joint
    distribution of the differences, which five seeds do not tell. Holm rejects more than these intervals show: one may
    touch zero where Holm's p lies below 5 %.
    """
    claims = [difference for difference in family if difference.p is not None]
    adjusted = iter(adjust_holm([difference.p for difference in claims if difference.p is not None]).tolist())
    return [_judge(one, next(adjusted), len(claims)) if one.p is not None else one for one in family]


def _judge(difference: Difference, holm_p: float, claims: int) -> Difference:
    assert difference.deviation is not None
    each = 1 - (1 - CONFIDENCE) / claims
    half = critical_t(each, difference.n) * difference.deviation / math.sqrt(difference.n)
    return replace(difference, holm_p=holm_p, simultaneous=half)
