"""How far several orders of the same methods agree: Kendall's tau."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rethinkdc.statistics.paired import CONFIDENCE, critical_t

_DIGITS = 12
"""Results that differ by less are equal: means of the same fractions, added in another order."""


@dataclass(frozen=True)
class Concordance:
    """Kendall's tau-b over all pairs of orders.

    Attributes:
        mean: over the pairs.
        half_width: of the mean at 95 %, by the jackknife over orders with Student's t; None of fewer than three, or
            where all agree equally.
        least: of any pair.
        largest: of any pair.
        orders: how many there are.
    """

    mean: float
    half_width: float | None
    least: float
    largest: float
    orders: int


def kendall_tau(one: ArrayLike, other: ArrayLike) -> float | None:
    """Tau-b of two lists of results, float [m] each; None where one of them ties all."""
    first, second = (np.sign(_differences(values)) for values in (one, other))
    scale = math.sqrt(float(np.count_nonzero(first)) * float(np.count_nonzero(second)))
    return float(first @ second) / scale if scale else None


def agree(orders: Sequence[ArrayLike]) -> Concordance | None:
    """How far several lists of results agree on their order, each float [m]; None without a pair that has a tau.

    The interval tells how much the mean hangs on which orders there are. It knows nothing of noise within them.
    """
    taus = {
        pair: tau
        for pair in combinations(range(len(orders)), 2)
        if (tau := kendall_tau(orders[pair[0]], orders[pair[1]])) is not None
    }
    if not taus:
        return None
    values = list(taus.values())
    half = _jackknife(taus, sorted({order for pair in taus for order in pair}))
    return Concordance(math.fsum(values) / len(values), half, min(values), max(values), len(orders))


def _jackknife(taus: dict[tuple[int, int], float], orders: Sequence[int]) -> float | None:
    if len(orders) < 3:
        return None
    without = []
    for order in orders:
        left = [tau for pair, tau in taus.items() if order not in pair]
        if not left:
            return None
        without.append(math.fsum(left) / len(left))
    count, middle = len(without), math.fsum(without) / len(without)
    variance = (count - 1) / count * math.fsum((value - middle) ** 2 for value in without)
    return critical_t(CONFIDENCE, count) * math.sqrt(variance) if variance > 0 else None


def _differences(values: ArrayLike) -> NDArray[np.float64]:
    """Of all pairs, each once: float [m] -> float64 [m (m - 1) / 2]."""
    results = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(results), k=1)
    apart: NDArray[np.float64] = np.round(results[first] - results[second], _DIGITS)
    return apart


__all__ = ["Concordance", "agree", "kendall_tau"]
