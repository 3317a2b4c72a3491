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


def write_difference(value: float, metric: Metric) -> str:
    """How far from something a value lies, and to which side: ``4.17 points worse``."""
    scale, unit = (100, " points") if metric.unit == "fraction" else (1, "")
    side = "better" if metric.gain(value, 0.0) >= 0 else "worse"
    return f"{_plain(abs(scale * value), metric)}{unit} {side}"


def write_signed(value: float, metric: Metric, digits: int = 2) -> str:
    """A difference with its sign: ``+4.17`` in points of a fraction, ``-0.1234`` of a number."""
    return f"{100 * value:+.{digits}f}" if metric.unit == "fraction" else f"{value:+.{digits + 2}g}"


def write_interval(mean: float, half_width: float, metric: Metric, digits: int = 2) -> str:
    """From where to where a difference lies: ``+4.12 to +6.30 points``; of what is better below, says so."""
    low, high = (write_signed(mean + sign * half_width, metric, digits) for sign in (-1, 1))
    unit = " points" if metric.unit == "fraction" else ""
    return f"{low} to {high}{unit}{'' if metric.better == 'higher' else ' (lower is better)'}"


def _plain(value: float, metric: Metric) -> str:
    return f"{value:.2f}" if metric.unit == "fraction" else f"{value:.4g}"
