"""Boards as tables of a page: what each cell says, and the number that it is sorted by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rethinkdc.boards import Board, Row
from rethinkdc.boards.beside import Published, Robustness, Unmeasured
from rethinkdc.boards.notes import lacking_notes, notes_on
from rethinkdc.boards.ranking import LEAST
from rethinkdc.measurement import Metric
from rethinkdc.reports.conditions import describe, describe_digests, entitle, facets_of, name_rows
from rethinkdc.reports.figures import Facets, Unit
from rethinkdc.reports.texts import NOTHING, write_metric, write_number, write_p
from rethinkdc.statistics import Difference, Spread
from rethinkdc.texts import visible

T = TypeVar("T")
N = TypeVar("N", int, float)

_METHOD, _REPORTED = "method", "reported"


@dataclass(frozen=True)
class Column:
    """A head, what it means, and whether its cells are numbers."""

    head: str
    meaning: str
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """What is read, and what is sorted by: a number, a text, or None for nothing, which comes last."""

    text: str
    value: float | str | None


@dataclass(frozen=True)
class Table:
    """One board.

    Attributes:
        title: the conditions in few words.
        conditions: the others.
        digests: of protocol and dataset.
        facets: what it is filtered by.
        columns: that say something of any row.
        rows: each with the text that a filter searches.
        notes: what must be known beside the numbers.
    """

    title: str
    conditions: str
    digests: str
    facets: Facets
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...]


_Fill = Callable[[Row], Cell]


def make_table(board: Board) -> Table:
    """The table of a board; published values of methods without a row have lines of their own at its end."""
    call = name_rows([board])
    columns = [(column, [fill(row) for row in board.shown]) for column, fill in _columns(board, call)]
    told = [
        (column, cells)
        for column, cells in columns
        if any(cell.value is not None for cell in cells) or (column.head == _REPORTED and board.unmeasured)
    ]
    return Table(
        title=entitle([board]),
        conditions=describe([board]),
        digests=describe_digests([board]),
        facets=facets_of([board]),
        columns=tuple(column for column, _ in told),
        rows=(
            *(
                (f"{call(row)} {visible(row.labeler)}".lower(), tuple(cells[place] for _, cells in told))
                for place, row in enumerate(board.shown)
            ),
            *(_only_reported(one, board, [column for column, _ in told]) for one in board.unmeasured),
        ),
        notes=tuple(
            map(visible, [*notes_on(board), *(" ".join(one) for one in lacking_notes(board, everything=False))])
        ),
    )


def _columns(board: Board, call: Callable[[Row], str]) -> list[tuple[Column, _Fill]]:
    unit, percent = board.unit, " %" if board.unit == "fraction" else ""
    filled: list[tuple[str, str, _Fill]] = [
        ("rank", f"1 is best, equal means share it; none below n = {LEAST}", _whole(lambda row: row.rank)),
        ("band", "1 is the best, and all that are not clearly worse", _whole(lambda row: row.band)),
        (_METHOD, "the compressor, and the labeler where there are several", lambda row: Cell(call(row), call(row))),
        (f"{write_metric(board.metric)}{percent}", f"mean; {board.better} is better", _number(_mean, unit)),
        ("sd", "standard deviation over the n", _number(_of(_result, lambda one: one.deviation), unit)),
        ("n", "sets, or students where there is one set", _whole(_of(_result, lambda one: one.n))),
        (
            f"minus {board.against or 'random'}",
            f"mean paired difference to {board.reference}",
            _number(_of(_beside, lambda one: one.mean), unit, sign=True),
        ),
        ("± 95 %", "half width of the difference's interval, taken alone (Student's t)", _number(_half, unit)),
        ("Holm p", "of the paired t test, adjusted for all methods of the board", _chance(_holm)),
        (_REPORTED, "by a paper; the notes tell its source, * that conditions differ", _reported(board)),
        ("minus reported", "our mean minus the reported value", _beyond_reported(board)),
        ("HLR", "hard label recovery; lower is better", _number(_of(_scores, lambda one: one.hlr), unit)),
        (
            "IOR",
            "improvement over random with equal labels",
            _number(_of(_scores, lambda one: one.ior), unit, sign=True),
        ),
        ("LRS", "label robust score; neutral at 0.2689", _number(_of(_scores, lambda one: one.lrs))),
        ("ARS", "augmentation robust score; neutral at 0.2689", _number(_of(_scores, lambda one: one.ars))),
        *(_other(one) for one in board.others),
        ("teacher %", "top-1 of the teacher on the test images", _number(lambda row: row.teacher_top1, "fraction")),
        ("± images", "the test set's own error of the difference, at 95 %", _number(_image_error, unit)),
        ("receiver", "bytes of images as JPEG, labels, and a teacher that is asked", _number(_receiver, "bytes")),
        ("labels", "bytes of the labels as stored", _number(_of(_result_of, lambda row: row.label_bytes), "bytes")),
        ("images seen", "by the networks of all stages", _number(lambda row: row.total_images_seen, "images")),
        ("seconds", "cost, shared work included", _number(lambda row: sum(row.seconds.values()) or None, "seconds")),
    ]
    return [(Column(head, meaning, numeric=head != _METHOD), fill) for head, meaning, fill in filled]


def _other(metric: Metric) -> tuple[str, str, _Fill]:
    percent = " %" if metric.unit == "fraction" else ""
    fill = _number(lambda row: row.others.get(metric.name), metric.unit)
    return f"{write_metric(metric.name)}{percent}", f"mean; {metric.better} is better", fill


def _of(whole: Callable[[Row], T | None], part: Callable[[T], N | None]) -> Callable[[Row], N | None]:
    """What a part of a row's value is, where the row has the value."""

    def pick(row: Row) -> N | None:
        value = whole(row)
        return None if value is None else part(value)

    return pick


def _result(row: Row) -> Spread | None:
    return row.result


def _result_of(row: Row) -> Row | None:
    return row if row.result else None


def _beside(row: Row) -> Difference | None:
    return row.difference


def _scores(row: Row) -> Robustness | None:
    return row.robustness


def _mean(row: Row) -> float | None:
    return row.result.mean if row.result else None


def _half(row: Row) -> float | None:
    return row.difference.half_width if row.difference else None


def _holm(row: Row) -> float | None:
    return row.difference.holm_p if row.difference else None


def _receiver(row: Row) -> float | None:
    return row.receiver_bytes


def _image_error(row: Row) -> float | None:
    interval = row.image_error.interval if row.image_error else None
    return (interval.high - interval.low) / 2 if interval else None


def _reported(board: Board) -> _Fill:
    def fill(row: Row) -> Cell:
        if not row.published:
            return Cell(NOTHING, None)
        return Cell(", ".join(_cite(one, board) for one in row.published), row.published[0].value)

    return fill


def _only_reported(one: Unmeasured, board: Board, columns: list[Column]) -> tuple[str, tuple[Cell, ...]]:
    """The line of a published value without a measured row."""
    name = visible(f"{one.compressor} + {one.labeler}")
    held = {
        _METHOD: Cell(name, name),
        _REPORTED: Cell(_cite(one.published, board), one.published.value),
    }
    return name.lower(), tuple(held.get(column.head, Cell(NOTHING, None)) for column in columns)


def _cite(published: Published, board: Board) -> str:
    """The value with the number of its source, and a star where conditions differ."""
    differs = "*" if published.conditions else ""
    return f"{write_number(published.value, board.unit)}{differs} [{board.number_source(published)}]"


def _beyond_reported(board: Board) -> _Fill:
    def fill(row: Row) -> Cell:
        apart = [row.result.mean - one.value for one in row.published] if row.result else []
        written = ", ".join(write_number(one, board.unit, sign=True) for one in apart)
        return Cell(written, apart[0]) if apart else Cell(NOTHING, None)

    return fill


def _number(pick: Callable[[Row], float | None], unit: Unit = "number", *, sign: bool = False) -> _Fill:
    return _cell(pick, lambda value: write_number(value, unit, sign=sign))


def _whole(pick: Callable[[Row], int | None]) -> _Fill:
    return _cell(pick, lambda value: f"{value:,}")


def _chance(pick: Callable[[Row], float | None]) -> _Fill:
    return _cell(pick, write_p)


def _cell(pick: Callable[[Row], N | None], write: Callable[[N], str]) -> _Fill:
    def fill(row: Row) -> Cell:
        value = pick(row)
        return Cell(NOTHING, None) if value is None else Cell(write(value), value)

    return fill
