"""Figures as plotly.js draws them: traces and layouts as JSON data.

Colours are names of the page's style sheet, ``var(--c1)``: the page puts their values in, light or dark. Every text of
a record goes through :func:`escape`, since plotly.js reads a few HTML tags in labels. No template is used, whose
``%{...}`` a text could hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

from rethinkdc.reports.figures import Axis, Bars, Boxes, Chart, Figure, Level, Matrix, Series, Style, Unit
from rethinkdc.reports.folding import WIDTH, fold, part
from rethinkdc.reports.palette import MARKERS
from rethinkdc.reports.texts import NOTHING, write_number

_Json = dict[str, Any]
_INK, _PAPER, _GRID, _MUTED = "var(--ink)", "var(--paper)", "var(--grid)", "var(--muted)"
_FONT = 13
_ROW = 34
"""Pixels of a bar or a box, its gap among them."""
_LINE = 18
"""Pixels of one line of a name beside it."""
_AROUND = 90
_HEIGHT = 380


@singledispatch
def draw(figure: Figure) -> _Json:
    """Traces, layout and legend of a figure, as JSON data."""
    raise TypeError(f"no way to draw a {type(figure).__name__}")


@draw.register
def _(chart: Chart) -> _Json:
    lying = bool(chart.y.ticks) and chart.errors == "x"
    traces = [_trace(series, chart) for series in chart.series]
    height = _height([text for _, text in chart.y.ticks]) if lying else _HEIGHT
    layout = _layout(_axis(chart.x, _fold), _axis(chart.y), height=height)
    layout["shapes"] = [_line(level, chart) for level in chart.levels]
    named = {text for _, text in chart.y.ticks}
    legend = [_entry(series, trace) for trace, series in enumerate(chart.series) if series.name not in named]
    legend += [_key(level.name, _MUTED, "dash") for level in chart.levels]
    return {"data": traces, "layout": layout, "legend": legend}


@draw.register
def _(bars: Bars) -> _Json:
    places = list(range(len(bars.names)))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "y": places,
            "x": [_scaled(length, bars.x.unit) for length in one.lengths],
            "marker": {
                "color": _colour(one.style),
                "line": {"color": _PAPER, "width": 1},
                "pattern": {"shape": "/" if one.style.hatched else "", "solidity": 0.35, "bgcolor": _PAPER},
            },
            "hoverinfo": "text",
            "hovertext": [
                escape(f"{name}, {one.name}: {write_number(length, bars.x.unit)}")
                for name, length in zip(bars.names, one.lengths, strict=True)
            ],
        }
        for one in bars.parts
    ]
    layout = _layout(_axis(bars.x, _fold), _names_axis(bars.names), height=_height(bars.names))
    layout |= {"barmode": "stack", "bargap": 0.35}
    legend = [
        _key(one.name, _colour(one.style), "hatched" if one.style.hatched else "square", trace)
        for trace, one in enumerate(bars.parts)
    ]
    return {"data": traces, "layout": layout, "legend": legend}


@draw.register
def _(matrix: Matrix) -> _Json:
    values = [[None if value is None else _scaled(value, matrix.unit) for value in row] for row in matrix.values]
    largest = max((abs(value) for row in values for value in row if value is not None), default=1.0) or 1.0
    told = [
        [NOTHING if value is None else write_number(value, matrix.unit, sign=True) for value in row]
        for row in matrix.values
    ]
    heat = {
        "type": "heatmap",
        "x": list(range(len(matrix.columns))),
        "y": list(range(len(matrix.rows))),
        "z": values,
        "zmin": -largest,
        "zmax": largest,
        "colorscale": [[0, "var(--below)"], [0.5, "var(--even)"], [1, "var(--above)"]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": True,
        "hoverinfo": "text",
        "hovertext": [
            [escape(f"{row}, {column}: {text}") for column, text in zip(matrix.columns, texts, strict=True)]
            for row, texts in zip(matrix.rows, told, strict=True)
        ],
    }
    x = {"tickvals": heat["x"], "ticktext": [_fold(name, 16) for name in matrix.columns], "side": "top", "tickangle": 0}
    layout = _layout(
        x | {"showgrid": False, "zeroline": False}, _names_axis(matrix.rows), height=_height(matrix.rows) + 50
    )
    layout["annotations"] = [
        {"x": column, "y": row, "text": text, "showarrow": False, "font": {"color": _INK}}
        for row, texts in enumerate(told)
        for column, text in enumerate(texts)
    ]
    return {"data": [heat], "layout": layout, "legend": []}


@draw.register
def _(boxes: Boxes) -> _Json:
    def scaled(numbers: Sequence[float]) -> list[float]:
        return [_scaled(number, boxes.x.unit) for number in numbers]

    traces = [
        {
            "type": "box",
            "orientation": "h",
            "y": [place],
            "lowerfence": scaled([box.least]),
            "q1": scaled([box.lower]),
            "median": scaled([box.median]),
            "q3": scaled([box.upper]),
            "upperfence": scaled([box.largest]),
            "line": {"color": _colour(style), "width": 2},
            "fillcolor": "rgba(0,0,0,0)",
            "width": 0.5,
            "hoverinfo": "x",
        }
        for place, (box, style) in enumerate(zip(boxes.boxes, boxes.styles, strict=True))
    ]
    layout = _layout(_axis(boxes.x, _fold), _names_axis(boxes.names), height=_height(boxes.names))
    return {"data": traces, "layout": layout, "legend": []}


def escape(text: str) -> str:
    """The text with its markup made harmless; plotly.js turns the entities back when it draws."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _trace(series: Series, chart: Chart) -> _Json:
    x, y = ([_scaled(getattr(point, axis), getattr(chart, axis).unit) for point in series.points] for axis in "xy")
    lines = {"no": "markers", "line": "lines+markers" if series.marked else "lines", "steps": "lines"}[series.joined]
    trace: _Json = {
        "type": "scatter",
        "mode": lines,
        "name": escape(series.name),
        "x": x,
        "y": y,
        "hoverinfo": "text",
        "hovertext": [
            escape(f"{series.name}: {point.note or write_number(point.y, chart.y.unit)}") for point in series.points
        ],
        "marker": {"symbol": MARKERS[series.style.marker], "color": _colour(series.style), "size": 10},
        "line": {"color": _colour(series.style), "width": 2},
    }
    if series.joined == "steps":
        trace["line"] = {"color": _MUTED, "width": 1.5, "dash": "dot", "shape": "hv"}
        trace["hoverinfo"] = "skip"
    if any(point.error is not None for point in series.points):
        unit = getattr(chart, chart.errors).unit
        trace[f"error_{chart.errors}"] = {
            "array": [_scaled(point.error or 0.0, unit) for point in series.points],
            "color": _colour(series.style),
            "thickness": 1.5,
            "width": 4,
        }
    return trace


def _axis(axis: Axis, write: Callable[[str], str] = escape) -> _Json:
    # Below an axis one line would stick out of a phone's window, where names take half of it: there it is folded.
    drawn: _Json = {
        "title": {"text": write(axis.title), "font": {"size": _FONT}},
        "type": "log" if axis.log else "linear",
    }
    if axis.ticks:
        drawn |= {
            "tickvals": [_scaled(at, axis.unit) for at, _ in axis.ticks],
            "ticktext": [_fold(text) for _, text in axis.ticks],
        }
    return drawn


def _names_axis(names: Sequence[str]) -> _Json:
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [_fold(name) for name in names],
        "autorange": "reversed",
        "showgrid": False,
        "zeroline": False,
    }


def _layout(x: _Json, y: _Json, *, height: int) -> _Json:
    common = {"automargin": True, "gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _MUTED}
    common |= {"ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)"}
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "family": "var(--font)", "size": _FONT},
        "hoverlabel": {"align": "left", "bgcolor": _PAPER, "bordercolor": _MUTED, "font": {"color": _INK}},
        "hovermode": "closest",
        "showlegend": False,
        "xaxis": common | x,
        "yaxis": common | y,
    }


def _line(level: Level, chart: Chart) -> _Json:
    at = _scaled(level.at, getattr(chart, level.axis).unit)
    other = "y" if level.axis == "x" else "x"
    return {
        "type": "line",
        f"{level.axis}0": at,
        f"{level.axis}1": at,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        "line": {"color": _MUTED, "width": 1.5, "dash": "dash"},
        "layer": "below",
    }


def _entry(series: Series, trace: int) -> _Json:
    """A line of the legend, which shows and hides the trace of this number."""
    if series.joined == "steps":
        return _key(series.name, _MUTED, "dash", trace)
    mark = MARKERS[series.style.marker] if series.marked else "line"
    return _key(series.name, _colour(series.style), mark, trace)


def _key(name: str, colour: str, mark: str, trace: int | None = None) -> _Json:
    """What a mark means; the name in pieces between which a line may break."""
    key = {"pieces": part(name), "colour": colour, "mark": mark}
    return key if trace is None else key | {"trace": trace}


def _colour(style: Style) -> str:
    return f"var(--c{style.colour})"


def _scaled(value: float, unit: Unit) -> float:
    """Percent for fractions, and no digit that nobody can see."""
    return float(f"{100 * value if unit == 'fraction' else value:.6g}")


def _height(names: Sequence[str]) -> int:
    lines = max((len(fold(name)) for name in names), default=1)
    return _AROUND + max(_ROW, _LINE * lines + 4) * max(len(names), 2)


def _fold(name: str, width: int = WIDTH) -> str:
    return "<br>".join(map(escape, fold(name, width)))
