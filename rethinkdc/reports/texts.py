"""How a report writes numbers and names."""

from __future__ import annotations

import re

from rethinkdc.reports.figures import Unit
from rethinkdc.texts import visible

NOTHING = "\u2013"
_KILO = 1000
_TOP = re.compile(r"top(\d+)")


def write_metric(name: str) -> str:
    """The metric as people write it: ``top-1`` for ``top1``."""
    return _TOP.sub(r"top-\1", name) if _TOP.fullmatch(name) else visible(name)


def write_number(value: float, unit: Unit, *, sign: bool = False) -> str:
    """A number without its unit's name where a column or an axis bears it: ``34.20`` for a fraction of 0.342."""
    plus = "+" if sign else ""
    if unit == "fraction":
        return f"{100 * value:{plus}.2f}"
    if unit == "bytes":
        return write_large(value, "B")
    if unit == "images":
        return write_large(value)
    if unit == "seconds":
        return f"{value:{plus},.1f}"
    return f"{value:{plus}.4g}"


def write_large(value: float, unit: str = "") -> str:
    """Three figures and a decimal prefix: ``12.3 kB``, ``1.2 M``."""
    for prefix in ("", "k", "M", "G", "T", "P"):
        if abs(value) < _KILO or prefix == "P":
            break
        value /= _KILO
    text = f"{value:.3g}" if abs(value) < _KILO - 0.5 else f"{value:.0f}"
    return f"{text} {prefix}{unit}".strip()


def write_p(value: float) -> str:
    """A probability: three decimals, and the least that is told apart."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
