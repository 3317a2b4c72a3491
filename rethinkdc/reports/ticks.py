"""Marks of axes whose equal steps are equal ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rethinkdc.reports.figures import Axis, Unit
from rethinkdc.reports.texts import write_large

_FEW = 3
_MANY = 7


def axis_of_ratios(title: str, unit: Unit, values: Sequence[float]) -> Axis:
    """A logarithmic axis that spans values, marked at powers of ten, and between them where these are few."""
    name = "B" if unit == "bytes" else "s" if unit == "seconds" else ""
    marks = _decades(min(values), max(values)) if values else []
    return Axis(title, unit, log=True, ticks=tuple((mark, write_large(mark, name)) for mark in marks))


def axis_of_budgets(title: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis marked at just the budgets that occur."""
    return Axis(title, "number", log=True, ticks=tuple((value, f"{value:g}") for value in sorted(set(values))))


def _decades(least: float, largest: float) -> list[float]:
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(largest))
    powers = [10.0**power for power in range(first, last + 1)]
    inside = [mark for mark in powers if least <= mark <= largest]
    if len(inside) < _FEW:
        finer = [factor * power for power in powers for factor in (1, 2, 5)]
        return [mark for mark in finer if least / 2 <= mark <= largest * 2]
    return powers[:: math.ceil(len(powers) / _MANY)]
