"""The matrix of sets and labels: what each set reaches under each labeler, beyond what noise reaches under it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from rethinkdc.boards import Board, Row
from rethinkdc.reports.accuracies import ROWS
from rethinkdc.reports.conditions import label
from rethinkdc.reports.figures import Matrix
from rethinkdc.reports.material import Material
from rethinkdc.reports.texts import write_metric
from rethinkdc.texts import visible

_NOISE = "noise"


def draw_tracks(material: Material) -> list[Matrix]:
    """One matrix per dataset, student and budget where noise was run; a column is one labeler under one protocol."""
    return [found for boards in material.alike_but_protocol() if (found := _draw(boards))]


def _draw(boards: Sequence[Board]) -> Matrix | None:
    columns = {
        (place, noise.labeler): noise
        for place, board in enumerate(boards)
        for noise in board.rows
        if noise.compressor == _NOISE and noise.result
    }
    if not columns:
        return None
    known = dict.fromkeys(
        row.compressor
        for place, _ in columns
        for row in boards[place].rows
        if row.result and not row.full and row.compressor != _NOISE
    )
    names = list(known)[:ROWS]
    told_of = f" The first {ROWS} of {len(known)} sets." if len(known) > ROWS else ""
    values = tuple(
        tuple(_beyond(_find(boards[place], name, labeler), noise) for (place, labeler), noise in columns.items())
        for name in names
    )
    first = boards[0]
    without = [board for place, board in enumerate(boards) if place not in {place for place, _ in columns}]
    return Matrix(
        label=label("tracks", [board for board in boards if board not in without]),
        caption=f"{write_metric(first.metric)}{', in points,' if first.unit == 'fraction' else ''} minus that of noise "
        "under the same labels, a mean over common seeds. What noise reaches came out of the labels, not of the images."
        f"{_tell_without(without)}{told_of}",
        alt=f"{len(names)} sets by {len(columns)} labelers, noise subtracted.",
        rows=tuple(visible(name) for name in names),
        columns=tuple(
            visible(f"{labeler}, {boards[place].changed or boards[place].protocol}") for place, labeler in columns
        ),
        values=values,
        unit=first.unit,
    )


def _find(board: Board, compressor: str, labeler: str) -> Row | None:
    return next((row for row in board.rows if (row.compressor, row.labeler) == (compressor, labeler)), None)


def _beyond(row: Row | None, noise: Row) -> float | None:
    """The mean difference over common seeds; None without any."""
    common = sorted(set(row.values) & set(noise.values)) if row else []
    return fmean(row.values[seed] - noise.values[seed] for seed in common) if row and common else None


def _tell_without(boards: Sequence[Board]) -> str:
    if not boards:
        return ""
    named = dict.fromkeys(f"{visible(board.track)} under {visible(board.protocol)}" for board in boards)
    return f" Without noise on record, and so not shown: {', '.join(named)}."
