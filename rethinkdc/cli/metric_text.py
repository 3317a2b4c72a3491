"""How metrics are written: fractions in percent, numbers as numbers."""

from __future__ import annotations

import re
from typing import Literal

from rethinkdc.measurement import Metric

_TOP = re.compile(r"top(\d+)")

Unit = Literal["fraction", "number"]


def name_metric(name: str) -> str:
    """The name as people write it: ``top-1`` for ``top1``."""
    return _TOP.sub(r"top-\1", name) if _TOP.fullmatch(name) else name


def write_value(value: float, unit: Unit, digits: int = 2) -> str:
    """``89.72%`` for a fraction, ``0.1234`` for a number."""
    return f"{value:.{digits}%}" if unit == "fraction" else f"{value:.{digits + 2}g}"


def write_difference(value: float, metric: Metric, spread: float | None) -> str:
    """How far from something a value lies, and to which side: ``4.17 points worse than``.

    Args:
        value: the difference in the metric's own numbers.
        metric: says what a fraction is, and which end is good.
        spread: standard deviation of the difference; None = of one pair.
    """
    scale, unit = (100, " points") if metric.unit == "fraction" else (1, "")
    side = "better" if metric.gain(value, 0.0) >= 0 else "worse"
    around = "" if spread is None else f" ± {_plain(scale * spread, metric)}"
    return f"{_plain(abs(scale * value), metric)}{around}{unit} {side}"


def _plain(value: float, metric: Metric) -> str:
    return f"{value:.2f}" if metric.unit == "fraction" else f"{value:.4g}"
