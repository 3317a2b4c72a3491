"""Where the time went: seconds of each stage."""

from __future__ import annotations

from rethinkdc.reports.accuracies import ROWS
from rethinkdc.reports.conditions import label, name_rows
from rethinkdc.reports.figures import Axis, Bars, Part
from rethinkdc.reports.material import Material
from rethinkdc.reports.palette import Styles
from rethinkdc.reports.texts import write_number
from rethinkdc.runs.cost import order_stages
from rethinkdc.texts import visible


def draw_stages(material: Material) -> list[Bars]:
    """One figure per board: seconds of every stage, a mean over the runs of each method."""
    figures = []
    known = order_stages(stage for board in material.boards for row in board.rows for stage in row.seconds)
    for board in material.boards:
        call = name_rows([board])
        known_rows = [row for row in board.rows if row.result and row.seconds]
        if not known_rows:
            continue
        rows = known_rows[:ROWS]
        told_of = f" The first {ROWS} of {len(known_rows)} methods." if len(known_rows) > ROWS else ""
        longest = max(rows, key=lambda row: sum(row.seconds.values()))
        figures.append(
            Bars(
                label=label("stages", [board]),
                caption=f"Means over runs. What is shared, such as a proxy, counts for each run that used it.{told_of}",
                alt=f"Seconds by stage of {len(rows)} methods; the longest is {call(longest)} with "
                f"{write_number(sum(longest.seconds.values()), 'seconds')} s.",
                names=tuple(call(row) for row in rows),
                parts=tuple(
                    Part(visible(stage), Styles.nth(place), tuple(row.seconds.get(stage, 0.0) for row in rows))
                    for place, stage in enumerate(known)
                    if any(stage in row.seconds for row in rows)
                ),
                x=Axis("seconds", "seconds"),
            )
        )
    return figures
