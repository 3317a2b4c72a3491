"""Accuracy against budget, bytes and compute, and differences to random: figures of what boards hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rethinkdc.boards import Board, Row
from rethinkdc.reports.conditions import axis_of_metric, describe_budget, label, metric_of, name_rows
from rethinkdc.reports.figures import Axis, Chart, Level, Point, Series, Unit
from rethinkdc.reports.material import Material
from rethinkdc.reports.palette import INK
from rethinkdc.reports.texts import write_metric, write_number
from rethinkdc.reports.ticks import axis_of_budgets, axis_of_ratios
from rethinkdc.statistics import CONFIDENCE, Spread
from rethinkdc.statistics.paired import critical_t
from rethinkdc.texts import visible

NAMES = 16
"""The most methods that a chart of points tells apart by colour and shape; ``random`` is always one of them."""
ROWS = 40
"""The most methods that a chart lists line by line."""
_INTERVALS = "Bars are 95 % intervals of the mean over the n of the boards (Student's t), each taken alone."
_FRONT = "The line is the Pareto front: whatever lies on it is better than all that costs less."


@dataclass(frozen=True)
class _Place:
    """A row of a board at its place on a chart."""

    board: Board
    row: Row
    name: str
    point: Point


def draw_differences(material: Material) -> list[Chart]:
    """One chart per board: each method's paired difference, the best on top."""
    charts = []
    for board in material.boards:
        call = name_rows([board])
        gain = metric_of(board).gain
        pairs = [(row, row.difference) for row in board.rows if row.difference and not row.full]
        pairs.sort(key=lambda pair: gain(pair[1].mean, 0.0))
        if not pairs:
            continue
        told_of = f" The best {ROWS} of {len(pairs)} methods." if len(pairs) > ROWS else ""
        pairs = pairs[-ROWS:]
        told = [
            f"{write_number(found.mean, board.unit, sign=True)}{_around(found.half_width, board.unit)}"
            for _, found in pairs
        ]
        points = " (points)" if board.unit == "fraction" else ""
        charts.append(
            Chart(
                label=label("difference", [board]),
                caption=f"Bars are 95 % intervals of the paired difference (Student's t), each taken alone.{told_of}",
                alt=(
                    f"Differences to {visible(board.reference)} of {len(pairs)} methods; "
                    f"the best is {call(pairs[-1][0])} with {told[-1]}."
                ),
                x=Axis(f"{write_metric(board.metric)} minus {visible(board.against or 'random')}{points}", board.unit),
                y=Axis("", ticks=tuple((float(place), call(row)) for place, (row, _) in enumerate(pairs))),
                series=tuple(
                    Series(
                        call(row),
                        material.styles.of(row),
                        (Point(found.mean, float(place), found.half_width, f"{told[place]}, {found.n} pairs"),),
                    )
                    for place, (row, found) in enumerate(pairs)
                ),
                levels=(Level(visible(board.against or "random"), "x", 0.0),),
                errors="x",
            )
        )
    return charts


def draw_budgets(material: Material) -> list[Chart]:
    """One chart per protocol, dataset, student and track of several budgets: the metric against images per class."""
    charts = []
    for boards in material.alike_but_budget():
        places, told_of = _choose(_place(boards, lambda row, board: None if row.full else board.ipc))
        budgets = sorted({place.point.x for place in places})
        if len(budgets) < 2:
            continue
        charts.append(
            Chart(
                label=label("ipc", boards),
                caption=f"{_INTERVALS}{told_of}",
                alt=f"{write_metric(boards[0].metric)} against images per class. {_tell_best(places)}",
                x=axis_of_budgets("images per class", budgets),
                y=axis_of_metric(boards[0]),
                series=_join(places, material, "line"),
                levels=_levels(boards),
            )
        )
    return charts


def draw_bytes(material: Material) -> list[Chart]:
    """One chart per protocol, dataset and student: the metric against what a receiver stores, whatever the track."""
    title = "bytes that a receiver stores"
    return _draw_costs(material, "bytes", title, "bytes", lambda row, _: None if row.full else row.receiver_bytes)


def draw_compute(material: Material) -> list[Chart]:
    """One chart per protocol, dataset and student: the metric against images seen by networks, whatever the track."""
    title = "images that networks saw in all stages"
    return _draw_costs(material, "compute", title, "images", lambda row, _: row.total_images_seen)


def _draw_costs(
    material: Material, kind: str, title: str, unit: Unit, cost: Callable[[Row, Board], float | None]
) -> list[Chart]:
    charts = []
    for boards in material.alike_but_labels():
        placed = _place(boards, cost)
        if not placed:
            continue
        front = Series("Pareto front", INK, _front(placed), joined="steps", marked=False)
        places, told_of = _choose(placed)
        charts.append(
            Chart(
                label=label(kind, boards),
                caption=f"{_INTERVALS} {_FRONT}{told_of}",
                alt=f"{write_metric(boards[0].metric)} against {title}. {_tell_best(places)}",
                x=axis_of_ratios(title, unit, [place.point.x for place in placed]),
                y=axis_of_metric(boards[0]),
                series=(front, *_join(places, material, "no")),
                levels=_levels(boards),
            )
        )
    return charts


def _place(boards: Sequence[Board], cost: Callable[[Row, Board], float | None]) -> list[_Place]:
    """The rows that have a result and a cost, each with what is told of it."""
    call = name_rows(boards)
    places = []
    for board in boards:
        for row in board.rows:
            x = cost(row, board)
            if row.result and x:
                note = f"{describe_budget(board)}, {visible(board.track)} labels: {_tell(row, board)}"
                places.append(_Place(board, row, call(row), Point(x, row.result.mean, half_width(row.result), note)))
    return places


def _choose(places: list[_Place]) -> tuple[list[_Place], str]:
    """The places of the methods that reach most, and of ``random``; and a sentence where others are left out."""
    if not places:
        return places, ""
    gain = metric_of(places[0].board).gain
    best: dict[str, float] = {}
    for place in places:
        first = math.inf if place.row.compressor == "random" else gain(place.point.y, 0.0)
        best[place.name] = max(first, best.get(place.name, -math.inf))
    if len(best) <= NAMES:
        return places, ""
    chosen = sorted(best, key=lambda name: -best[name])[:NAMES]
    return [place for place in places if place.name in chosen], f" {NAMES} of {len(best)} methods: random and the best."


def _join(places: Sequence[_Place], material: Material, joined: Literal["no", "line"]) -> tuple[Series, ...]:
    """One series for each name, its points from left to right."""
    groups: dict[str, list[_Place]] = {}
    for place in places:
        groups.setdefault(place.name, []).append(place)
    return tuple(
        Series(
            name,
            material.styles.of(group[0].row),
            tuple(sorted((place.point for place in group), key=lambda point: (point.x, point.y))),
            joined=joined,
        )
        for name, group in groups.items()
    )


def _front(places: Sequence[_Place]) -> tuple[Point, ...]:
    """The points that are better than every one that costs no more, from the cheapest on."""
    gain = metric_of(places[0].board).gain
    front: list[Point] = []
    for point in sorted((place.point for place in places), key=lambda point: (point.x, -gain(point.y, 0.0))):
        if not front or gain(point.y, front[-1].y) > 0:
            front.append(Point(point.x, point.y))
    return tuple(front)


def _levels(boards: Sequence[Board]) -> tuple[Level, ...]:
    """The whole training set, a line to look up to; the best of several."""
    full = [row.result.mean for board in boards for row in board.rows if row.full and row.result]
    best = metric_of(boards[0]).gain
    return (Level("whole training set", "y", max(full, key=lambda value: best(value, 0.0))),) if full else ()


def half_width(spread: Spread) -> float | None:
    """The mean lies within it at 95 % (Student's t, n - 1); None for one value."""
    if spread.deviation is None:
        return None
    return critical_t(CONFIDENCE, spread.n) * spread.deviation / math.sqrt(spread.n)


def _tell(row: Row, board: Board) -> str:
    assert row.result is not None
    return (
        f"{write_number(row.result.mean, board.unit)}{_around(half_width(row.result), board.unit)}, n = {row.result.n}"
    )


def _around(half: float | None, unit: Unit) -> str:
    return "" if half is None else f" ± {write_number(half, unit)}"


def _tell_best(places: Sequence[_Place]) -> str:
    gain = metric_of(places[0].board).gain
    best = max(places, key=lambda place: gain(place.point.y, 0.0))
    return f"{len({place.name for place in places})} methods; the best is {best.name}: {best.point.note}."
