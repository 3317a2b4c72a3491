"""Figures as matplotlib draws them into files. The same figure gives the same bytes: no date is written into a file."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from functools import singledispatch
from typing import Any, TypeAlias

from rethinkdc.errors import RequestError
from rethinkdc.reports.figures import Axis, Bars, Boxes, Chart, Figure, Matrix, Series, Unit
from rethinkdc.reports.folding import fold
from rethinkdc.reports.palette import LIGHT
from rethinkdc.reports.texts import NOTHING, write_number

_Axes: TypeAlias = Any
"""matplotlib's axes, whose annotations differ from version to version."""

FORMATS = (".png", ".pdf", ".svg")
_MARKERS = ("o", "s", "D", "^", "X", "v", "P", "*")
"""In the order of :data:`rethinkdc.reports.palette.MARKERS`."""
_METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}
_SETTINGS: dict[str, Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "rethinkdc",
    "pdf.fonttype": 42,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 200,
}
"""A dollar in a name is a dollar. The salt makes the ids of an SVG the same each time."""
_INK, _MUTED, _BELOW, _EVEN, _ABOVE = "#1a1a1a", "#5d6670", "#f2b48c", "#f5f6f8", "#8fc4e8"
_WIDTH, _HEIGHT, _ROW, _NAME = 6.4, 4.4, 0.36, 0.15
"""In inches: of a picture, of a row of bars or boxes, and of a line of its name."""
_LETTERS, _LINE = 95, 0.13
"""Of a line of small text: about how many letters it holds, and its inches."""


def draw(figure: Figure, heading: str, ending: str) -> bytes:
    """The file of the picture.

    Args:
        figure: what is drawn.
        heading: what figures of its kind show.
        ending: one of :data:`FORMATS`.

    Raises:
        RequestError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure as Picture
    except ImportError:
        raise RequestError(
            'Plots need matplotlib, which is not installed: pip install "rethinkdc[plots]". `rethinkdc report` draws '
            "the same figures without it."
        ) from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams
        settings.update(_SETTINGS)
        label = figure.label
        said = (label.conditions, label.digests, figure.caption)
        about = [line for text in said for line in textwrap.wrap(text, _LETTERS)]
        picture = Picture(figsize=(_WIDTH, _height(figure) + _LINE * len(about)), layout="constrained")
        axes = picture.add_subplot()
        _fill(figure, axes)
        picture.suptitle(f"{heading}\n{label.title}", x=0.01, ha="left", fontweight="bold")
        axes.set_title("\n".join(about), loc="left", fontsize=6.5, color=_MUTED)
        held = io.BytesIO()
        picture.savefig(held, format=ending[1:], metadata=_METADATA[ending])
    return held.getvalue()


@singledispatch
def _fill(figure: Figure, axes: _Axes) -> None:  # noqa: ARG001 - what the others draw on
    raise TypeError(f"no way to draw a {type(figure).__name__}")


@_fill.register
def _(chart: Chart, axes: _Axes) -> None:
    named = {text for _, text in chart.y.ticks}
    for series in chart.series:
        _draw_series(series, chart, axes, "" if series.name in named else series.name)
    for level in chart.levels:
        line = axes.axhline if level.axis == "y" else axes.axvline
        line(
            _scaled(level.at, getattr(chart, level.axis).unit), color=_MUTED, ls="--", lw=1, zorder=1, label=level.name
        )
    _set_axis(axes, "x", chart.x)
    _set_axis(axes, "y", chart.y)
    if axes.get_legend_handles_labels()[1]:
        axes.figure.legend(loc="outside lower center", ncols=2)


@_fill.register
def _(bars: Bars, axes: _Axes) -> None:
    places = range(len(bars.names))
    begun = [0.0] * len(bars.names)
    for part in bars.parts:
        lengths = [_scaled(length, bars.x.unit) for length in part.lengths]
        colour = LIGHT[part.style.colour]
        hatch = "////" if part.style.hatched else None
        drawn = {"color": colour, "edgecolor": "white", "lw": 0.5, "hatch": hatch, "label": part.name}
        axes.barh(places, lengths, 0.65, left=begun, **drawn)
        begun = [start + length for start, length in zip(begun, lengths, strict=True)]
    _set_axis(axes, "x", bars.x)
    _set_names(axes, bars.names)
    axes.figure.legend(loc="outside lower center", ncols=3)


@_fill.register
def _(matrix: Matrix, axes: _Axes) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    values = [
        [float("nan") if value is None else _scaled(value, matrix.unit) for value in row] for row in matrix.values
    ]
    largest = max((abs(value) for row in values for value in row if value == value), default=1.0) or 1.0
    colours = LinearSegmentedColormap.from_list("gain", [_BELOW, _EVEN, _ABOVE])
    axes.imshow(values, cmap=colours, vmin=-largest, vmax=largest, aspect="auto")
    for row, numbers in enumerate(matrix.values):
        for column, value in enumerate(numbers):
            text = NOTHING if value is None else write_number(value, matrix.unit, sign=True)
            axes.text(column, row, text, ha="center", va="center", color=_INK)
    axes.set_xticks(range(len(matrix.columns)), ["\n".join(fold(name, 16)) for name in matrix.columns])
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(matrix.rows)), ["\n".join(fold(name)) for name in matrix.rows])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


@_fill.register
def _(boxes: Boxes, axes: _Axes) -> None:
    for place, (box, style) in enumerate(zip(boxes.boxes, boxes.styles, strict=True)):
        least, lower, median, upper, largest = (
            _scaled(value, boxes.x.unit) for value in (box.least, box.lower, box.median, box.upper, box.largest)
        )
        told = {"whislo": least, "q1": lower, "med": median, "q3": upper, "whishi": largest, "fliers": []}
        lines = {"color": LIGHT[style.colour], "linewidth": 1.5}
        axes.bxp(
            [told], [place], widths=0.5, orientation="horizontal", manage_ticks=False, showfliers=False,
            boxprops=lines, whiskerprops=lines, capprops=lines, medianprops=lines,
        )  # fmt: skip
    _set_axis(axes, "x", boxes.x)
    _set_names(axes, boxes.names)


def _draw_series(series: Series, chart: Chart, axes: _Axes, label: str) -> None:
    x = [_scaled(point.x, chart.x.unit) for point in series.points]
    y = [_scaled(point.y, chart.y.unit) for point in series.points]
    if series.joined == "steps":
        axes.step(x, y, where="post", color=_MUTED, ls=":", lw=1, label=label)
        return
    colour = LIGHT[series.style.colour]
    marker = _MARKERS[series.style.marker] if series.marked else ""
    line: dict[str, Any] = {
        "ls": "-" if series.joined == "line" else "",
        "lw": 1.5,
        "marker": marker,
        "ms": 5,
        "color": colour,
    }
    unit = getattr(chart, chart.errors).unit
    widths = [_scaled(point.error or 0.0, unit) for point in series.points]
    if any(widths):
        axes.errorbar(x, y, **{f"{chart.errors}err": widths}, elinewidth=1, capsize=2.5, label=label, **line)
    else:
        axes.plot(x, y, label=label, **line)


def _set_axis(axes: _Axes, which: str, axis: Axis) -> None:
    scale, title, ticks = (getattr(axes, f"set_{which}{what}") for what in ("scale", "label", "ticks"))
    if axis.log:
        scale("log")
    title(axis.title)
    if axis.ticks:
        ticks([_scaled(at, axis.unit) for at, _ in axis.ticks], ["\n".join(fold(text)) for _, text in axis.ticks])
        ticks([], minor=True)


def _set_names(axes: _Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), ["\n".join(fold(name)) for name in names])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def _height(figure: Figure) -> float:
    rows = {Bars: "names", Boxes: "names", Matrix: "rows"}.get(type(figure))
    names: Sequence[str] = getattr(figure, rows) if rows else ()
    if isinstance(figure, Chart) and figure.errors == "x":
        names = [text for _, text in figure.y.ticks]
    lines = max((len(fold(name)) for name in names), default=1)
    return 1.8 + max(_ROW, _NAME * lines + 0.04) * len(names) if names else _HEIGHT


def _scaled(value: float, unit: Unit) -> float:
    return 100 * value if unit == "fraction" else value
