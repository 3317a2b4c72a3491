"""What scenarios took, as tables: measured with all classes, or extrapolated from the two largest sizes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.scale.scenario import Taken
from tests.benchmarks.scale.tables import Shape

TAKEN = "taken.jsonl"
WHOLE = Shape()
_LEAST = 0.5
"""Seconds of the processor below which no growth is told: what a process begins with is as much."""


class Point(NamedTuple):
    """A scenario at one size."""

    group: str
    name: str
    shape: Shape
    taken: Taken


class Estimate(NamedTuple):
    """What a scenario takes with all classes.

    Attributes:
        cpu: seconds of the processor.
        anonymous: bytes at the peak of the largest size that was measured.
        disk: bytes.
        growth: exponent of the seconds in the number of classes, and so of rows; None where they are too few to tell.
        within: exponent in the rows of a class, where two were measured with as many classes.
        of: the sizes in classes that it comes from; one of them, where what was measured is told as it is.
    """

    cpu: float
    anonymous: float
    disk: float
    growth: float | None
    within: float | None
    of: tuple[int, ...]


def read(folder: Path) -> list[Point]:
    """What was measured, the last of each scenario and size."""
    found: dict[tuple[str, str, int, int], Point] = {}
    for line in (folder / TAKEN).read_text().splitlines():
        told = json.loads(line)
        taken = Taken(**{name: told[name] for name in Taken._fields})
        shape = Shape(classes=told["classes"], per_class=told["per_class"])
        found[told["group"], told["name"], shape.classes, shape.per_class] = Point(
            told["group"], told["name"], shape, taken
        )
    return list(found.values())


def exponent(small: Point, large: Point) -> float | None:
    """By which power the seconds of the processor grow with the rows between two sizes."""
    if small.taken.cpu < _LEAST:
        return None
    return math.log(large.taken.cpu / small.taken.cpu) / math.log(large.shape.rows / small.shape.rows)


def estimate(points: Iterable[Point]) -> Estimate:
    """What one scenario takes with all classes, from its measured sizes.

    Seconds grow by the exponent that was found, but no less than in proportion; disk in a straight line. Peaks are told
    as they were measured: between small sizes they differ by what the allocator happens to hold, and fifty times that
    would say nothing.
    """
    points = sorted(points, key=lambda one: one.shape.rows)
    sizes, within = [one for one in points if one.shape.per_class == WHOLE.per_class], _within(points)
    large, growth = sizes[-1], exponent(*sizes[-2:]) if len(sizes) > 1 else None
    taken = large.taken
    if len(sizes) == 1 or large.shape.classes == WHOLE.classes:
        return Estimate(taken.cpu, taken.anonymous, taken.disk, growth, within, (large.shape.classes,))
    small, times = sizes[-2], WHOLE.rows / large.shape.rows
    further = (WHOLE.rows - large.shape.rows) / (large.shape.rows - small.shape.rows)
    return Estimate(
        taken.cpu * times ** max(1.0, growth or 1.0),
        taken.anonymous,
        taken.disk + (taken.disk - small.taken.disk) * further,
        growth,
        within,
        (small.shape.classes, large.shape.classes),
    )


def _within(points: list[Point]) -> float | None:
    """The exponent between two sizes of the same number of classes, the largest of which there are two."""
    for large in reversed(points):
        for small in points:
            if small.shape.classes == large.shape.classes and small.shape.per_class < large.shape.per_class:
                return exponent(small, large)
    return None


def tables_of(points: Iterable[Point]) -> str:
    """A Markdown table for each group."""
    groups: dict[str, dict[str, list[Point]]] = {}
    for one in points:
        groups.setdefault(one.group, {}).setdefault(one.name, []).append(one)
    return "\n\n".join(f"## {group}\n\n{_table(named)}" for group, named in groups.items())


def _table(named: dict[str, list[Point]]) -> str:
    lines = ["| what | CPU s | peak MiB | disk MiB | growth | in a class | how |", "|---|---|---|---|---|---|---|"]
    for name, points in named.items():
        found = estimate(points)
        growth, within = ("" if one is None else f"{one:.2f}" for one in (found.growth, found.within))
        how = "measured" if found.of == (WHOLE.classes,) else f"measured with {found.of[0]} classes"
        if len(found.of) > 1:
            how = f"extrapolated from {found.of[0]} and {found.of[1]} classes"
        lines.append(
            f"| `{name}` | {_number(found.cpu)} | {found.anonymous / 2**20:,.0f} | {_number(found.disk / 2**20)} | "
            f"{growth} | {within} | {how} |"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
