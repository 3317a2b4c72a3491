"""Learning curves, and how far the classes lie apart: figures of what happened inside runs."""

from __future__ import annotations

from rethinkdc.boards import Board
from rethinkdc.reports.conditions import label, name_rows
from rethinkdc.reports.figures import Axis, Boxes, Chart, Series
from rethinkdc.reports.material import Material
from rethinkdc.reports.texts import write_metric, write_number
from rethinkdc.reports.trainings import LOSS, METHODS, RUNS


def draw_curves(material: Material) -> list[Chart]:
    """One chart for each board and each number that was followed: its mean over runs, by epoch."""
    charts = []
    for board, trainings in material.trainings:
        call = name_rows([board])
        units = {number: unit for _, training in trainings for number, unit in training.units.items()}
        for number, unit in units.items():
            loss = number == LOSS
            drawn = [(row, training.curves[number]) for row, training in trainings if number in training.curves]
            name = "training loss" if loss else f"test {write_metric(number)}"
            charts.append(
                Chart(
                    label=label("curve", [board], name),
                    caption=f"Means over at most {RUNS} runs.{_tell_choice(board)}",
                    alt=f"{name} by epoch of {len(drawn)} methods.",
                    x=Axis("epoch"),
                    y=Axis(name + (" (%)" if unit == "fraction" else ""), unit, log=loss),
                    series=tuple(
                        Series(call(row), material.styles.of(row), points, joined="line", marked=not loss)
                        for row, points in drawn
                    ),
                )
            )
    return charts


def draw_classes(material: Material) -> list[Boxes]:
    """One figure per board: how the accuracies of single classes spread, each a mean over runs."""
    figures = []
    for board, trainings in material.trainings:
        call = name_rows([board])
        spreads = [(row, training.classes) for row, training in trainings if training.classes]
        if not spreads:
            continue
        widest, spread = max(spreads, key=lambda one: one[1].largest - one[1].least)
        figures.append(
            Boxes(
                label=label("classes", [board]),
                caption="Least, quartiles and largest of the classes' top-1; each class is first averaged over at most "
                f"{RUNS} runs.{_tell_choice(board)}",
                alt=f"Spread over classes of {len(spreads)} methods; widest: {call(widest)}, from "
                f"{write_number(spread.least, 'fraction')} to {write_number(spread.largest, 'fraction')} %.",
                names=tuple(call(row) for row, _ in spreads),
                boxes=tuple(spread for _, spread in spreads),
                styles=tuple(material.styles.of(row) for row, _ in spreads),
                x=Axis("top-1 of a class (%)", "fraction"),
            )
        )
    return figures


def _tell_choice(board: Board) -> str:
    count = sum(row.result is not None and not row.full for row in board.rows)
    return f" The best {METHODS} of {count} methods." if count > METHODS else ""
