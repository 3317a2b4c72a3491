"""Figures as values: what is drawn, and nothing of the library that draws it.

Two renderers take them: :mod:`rethinkdc.reports.plotly_figures` for the page and
:mod:`rethinkdc.reports.matplotlib_figures` for files. Numbers are fractions, bytes, seconds and images, as everywhere;
a renderer writes percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["fraction", "number", "bytes", "seconds", "images"]


@dataclass(frozen=True)
class Style:
    """Which colour and which marker of the palette: what differs in colour differs in shape too.

    What has no marker, such as a bar, is hatched where its colour comes again.
    """

    colour: int
    marker: int
    hatched: bool = False


@dataclass(frozen=True)
class Facets:
    """What a reader filters by; a figure of several tracks or budgets has them all, one without any is of each."""

    dataset: str
    tracks: tuple[str, ...]
    ipcs: tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Attributes:
        title: what is measured.
        unit: how its numbers are written.
        log: whether equal steps are equal ratios.
        ticks: the numbers that are marked, each with its text; empty = the renderer chooses.
    """

    title: str
    unit: Unit = "number"
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Point:
    """One measured place; ``error`` is the half width of its interval, ``note`` what is said of it beside numbers."""

    x: float
    y: float
    error: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Series:
    """Points of one name; ``joined`` by a line in their order, or as ``steps`` that a frontier takes."""

    name: str
    style: Style
    points: tuple[Point, ...]
    joined: Literal["no", "line", "steps"] = "no"
    marked: bool = True


@dataclass(frozen=True)
class Level:
    """A straight line across a chart at one number of an axis."""

    name: str
    axis: Literal["x", "y"]
    at: float


@dataclass(frozen=True)
class Label:
    """What a figure is of.

    Attributes:
        kind: what it shows, such as ``bytes``.
        name: unique in a report: the kind, words of the conditions, and the beginning of their digest.
        title: the conditions in few words.
        conditions: the others.
        digests: those of its protocols and datasets, as a sentence.
        facets: what it is filtered by.
    """

    kind: str
    name: str
    title: str
    conditions: str
    digests: str
    facets: Facets


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What every figure says of itself: how to read it, and ``alt``, what it shows to who does not see it."""

    label: Label
    caption: str
    alt: str


@dataclass(frozen=True, kw_only=True)
class Chart(Figure):
    """Points and lines over two axes; ``errors`` names the axis that their intervals lie along."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    levels: tuple[Level, ...] = ()
    errors: Literal["x", "y"] = "y"


@dataclass(frozen=True)
class Part:
    """A part of every bar of a figure: its name, and one length for each bar."""

    name: str
    style: Style
    lengths: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """Lying bars, one of each name, made of parts that are laid end to end.

    Attributes:
        names: of the bars, the first on top.
        parts: in the order in which they are laid.
        x: the axis of the lengths.
    """

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    x: Axis


@dataclass(frozen=True, kw_only=True)
class Matrix(Figure):
    """Numbers by row and column, coloured by sign and size; None where nothing was measured."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: Unit


@dataclass(frozen=True)
class Quartiles:
    """Least, lower quartile, median, upper quartile and largest of some numbers."""

    least: float
    lower: float
    median: float
    upper: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class Boxes(Figure):
    """Lying boxes, one of each name, the first on top."""

    names: tuple[str, ...]
    boxes: tuple[Quartiles, ...]
    styles: tuple[Style, ...]
    x: Axis


@dataclass(frozen=True)
class Section:
    """Figures of one kind.

    Attributes:
        kind: of each of them.
        title: what people call it.
        lead: how to read such a figure.
        figures: in the order of the boards.
        missing: why there is none, or what is not drawn.
    """

    kind: str
    title: str
    lead: str
    figures: tuple[Figure, ...]
    missing: str = ""
