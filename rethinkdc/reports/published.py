"""Reported beside measured: values of papers and ours, line by line."""

from __future__ import annotations

from rethinkdc.boards import Board
from rethinkdc.boards.beside import Published
from rethinkdc.reports.accuracies import half_width
from rethinkdc.reports.conditions import axis_of_metric, label, name_rows
from rethinkdc.reports.figures import Axis, Chart, Point, Series, Style
from rethinkdc.reports.material import Material
from rethinkdc.reports.texts import write_number
from rethinkdc.texts import visible

_OURS, _THEIRS = Style(1, 0), Style(2, 2)


def draw_published(material: Material) -> list[Chart]:
    """One chart per board of which a paper tells: each method's reported values, and what was measured here."""
    return [chart for board in material.boards if (chart := _draw(board))]


def _draw(board: Board) -> Chart | None:
    call = name_rows([board])
    lines: list[tuple[str, Point | None, list[Published]]] = [
        (f"{visible(one.compressor)} + {visible(one.labeler)}", None, [one.published]) for one in board.unmeasured
    ]
    for row in reversed(board.rows):
        if row.published:
            mean = row.result.mean if row.result else None
            half = half_width(row.result) if row.result else None
            note = "" if mean is None else write_number(mean, board.unit)
            lines.append((call(row), None if mean is None else Point(mean, 0.0, half, note), list(row.published)))
    if not lines:
        return None
    ours = [
        Point(point.x, float(place), point.error, f"{name}, {point.note}")
        for place, (name, point, _) in enumerate(lines)
        if point
    ]
    theirs = [
        Point(one.value, float(place), None, f"{name}, {_tell(one, board)}")
        for place, (name, _, published) in enumerate(lines)
        for one in published
    ]
    return Chart(
        label=label("reported", [board]),
        caption="Bars are 95 % intervals of our mean (Student's t). Papers seldom measured under just these "
        "conditions: the notes of the board and each mark's own text tell what differs.",
        alt=f"Reported values of {len(lines)} methods beside {len(ours)} measured ones.",
        x=axis_of_metric(board),
        y=Axis("", ticks=tuple((float(place), name) for place, (name, *_) in enumerate(lines))),
        series=(Series("measured here", _OURS, tuple(ours)), Series("reported", _THEIRS, tuple(theirs))),
        errors="x",
    )


def _tell(published: Published, board: Board) -> str:
    spread = "" if published.deviation is None else f" ± {write_number(published.deviation, board.unit)} (sd)"
    differs = f"; conditions differ: {visible(published.conditions)}" if published.conditions else ""
    return f"{write_number(published.value, board.unit)}{spread}, {visible(published.source)}{differs}"
