"""The columns of a board: what is said of each row, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from rich.filesize import decimal

from rethinkdc.boards import Board, Row
from rethinkdc.boards.beside import Published, Robustness
from rethinkdc.boards.notes import name_method
from rethinkdc.cli.metric_text import Unit
from rethinkdc.measurement import Metric
from rethinkdc.runs.cost import order_stages

NOTHING = "-"
_WORTH_A_RATIO = 0.01
"""Class indices take less than this share of the images' bytes, and nobody asks for it."""
_LEAST_P = 0.001
Columns = dict[str, Callable[[Row], str]]


Fields = dict[str, list[str]]
"""A table as text: head -> one text a line. Every column but the one named ``method`` holds numbers."""


def fill_columns(board: Board, columns: Columns) -> Fields:
    """The texts of a table; a column that says nothing is left out.

    Published values without a measured row are lines of their own, behind the others.
    """
    shown = {name: [show(row) for row in board.shown] for name, show in columns.items()}
    for one in board.unmeasured:
        said = {
            "method": f"{one.compressor} + {one.labeler}",
            _reported_head(board): _write_published(board, one.published),
        }
        for name, texts in shown.items():
            texts.append(said.get(name, NOTHING))
    if all(row.difference is None or row.difference.n == row.result.n for row in board.rows if row.result):
        shown.pop("pairs", None)
    return {name: texts for name, texts in shown.items() if name == "method" or set(texts) != {NOTHING}}


def result_columns(board: Board) -> Columns:
    """What every table shows."""
    number = _number(board)
    return {
        "rank": lambda row: str(row.rank or NOTHING),
        "band": lambda row: str(row.band or NOTHING),
        "method": lambda row: name_method(row, board),
        f"{board.metric}{_unit(board.unit)}": lambda row: number(row.result.mean if row.result else None),
        "sd": lambda row: number(row.result.deviation if row.result else None),
        "n": lambda row: str(row.result.n) if row.result else "0",
        "attempts": lambda row: str(row.attempts) if row.attempts > row.runs + len(row.missing) else NOTHING,
        f"minus {board.against or 'random'}": lambda row: number(row.difference.mean if row.difference else None, "+"),
        "± 95%": lambda row: number(row.difference.half_width if row.difference else None),
        "p": lambda row: _write_p(row.difference.holm_p if row.difference else None),
        "pairs": lambda row: str(row.difference.n) if row.difference else NOTHING,
        "± images": lambda row: _write_images(row, number),
        _reported_head(board): lambda row: _write_published(board, *row.published),
        "minus reported": lambda row: (
            ", ".join(number(row.result.mean - one.value, "+") for one in row.published if row.result) or NOTHING
        ),
    }


def choice_columns(board: Board) -> Columns:
    """What comes next: scores, what a receiver stores, compute, and where the spread is from."""
    number = _number(board)

    def score(name: str) -> Callable[[Row], str]:
        return lambda row: _write_score(row.robustness, name, number)

    # The improvement over random is shown already, but where it stands beside the other parts of a score.
    scored = any(row.robustness and row.robustness.lrs is not None for row in board.rows)
    return {
        **{name: score(name) for name in (("HLR", "IOR", "LRS", "ARS") if scored else ("HLR", "ARS"))},
        "receiver": lambda row: _bytes(row.receiver_bytes),
        "images seen": lambda row: _write_count(row.total_images_seen),
        "sd over sets": lambda row: number(row.components.over_sets if row.components else None),
        "sd over students": lambda row: number(row.components.over_students if row.components else None),
    }


def further_columns(board: Board) -> Columns:
    """What is shown where there is room, in this order: what was chosen, then all else."""
    number = _number(board)

    def image_bytes(form: str) -> Callable[[Row], str]:
        return lambda row: _bytes(row.image_bytes[form])

    return {
        **choice_columns(board),
        **{f"{one.name}{_unit(one.unit)}": _other(one) for one in board.others},
        **{f"{stage} s": _seconds(stage) for stage in _stages(row.seconds for row in board.rows)},
        "teacher top1 %": lambda row: NOTHING if row.teacher_top1 is None else f"{100 * row.teacher_top1:.2f}",
        **{f"{stage} memory": _memory(stage) for stage in _stages(row.memory for row in board.rows)},
        "bytes per class": lambda row: _bytes(row.class_bytes),
        "label bytes": lambda row: _bytes(row.label_bytes),
        "teacher bytes": lambda row: _bytes(row.teacher_bytes),
        "PNG": image_bytes("stored"),
        "JPEG q75": image_bytes("lossy"),
        "recipe": image_bytes("recipe"),
        "± 95% together": lambda row: number(row.difference.simultaneous if row.difference else None),
        "sd of difference": lambda row: number(row.difference.deviation if row.difference else None),
        **{f"{stage} images": _seen(stage) for stage in _stages(row.images_seen for row in board.rows)},
        "labels / JPEG": lambda row: f"{row.label_ratio:.3g}" if (row.label_ratio or 0) >= _WORTH_A_RATIO else NOTHING,
    }


def _unit(unit: Unit) -> str:
    return " %" if unit == "fraction" else ""


def _reported_head(board: Board) -> str:
    return f"reported{_unit(board.unit)}"


def _number(board: Board) -> Callable[..., str]:
    return partial(write_number, unit=board.unit)


def _other(metric: Metric) -> Callable[[Row], str]:
    return lambda row: write_number(row.others.get(metric.name), unit=metric.unit)


def write_number(value: float | None, sign: str = "", *, unit: Unit) -> str:
    """A number of a metric: fractions in percent."""
    scale, digits = (100, 2) if unit == "fraction" else (1, 4)
    return NOTHING if value is None else f"{scale * value:{sign}.{digits}f}"


def _write_p(p: float | None) -> str:
    if p is None:
        return NOTHING
    return f"{p:.3f}" if p >= _LEAST_P else f"<{_LEAST_P}"


def _write_images(row: Row, number: Callable[..., str]) -> str:
    found = row.image_error.interval if row.image_error else None
    return NOTHING if found is None else f"{number(found.low, '+')}..{number(found.high, '+')}"


def _write_score(found: Robustness | None, name: str, number: Callable[..., str]) -> str:
    value = None if found is None else getattr(found, name.lower())
    if value is None:
        return NOTHING
    return f"{value:.4f}" if name in ("LRS", "ARS") else str(number(value, "+" if name == "IOR" else ""))


def _write_published(board: Board, *published: Published) -> str:
    number = _number(board)
    return (
        ", ".join(
            f"{number(one.value)}{'*' if one.conditions else ''} [{board.number_source(one)}]" for one in published
        )
        or NOTHING
    )


def _seconds(stage: str) -> Callable[[Row], str]:
    return lambda row: f"{row.seconds[stage]:.1f}" if row.seconds.get(stage, 0.0) >= 0.05 else NOTHING


def _seen(stage: str) -> Callable[[Row], str]:
    return lambda row: _write_count(row.images_seen.get(stage))


def _memory(stage: str) -> Callable[[Row], str]:
    return lambda row: _bytes(row.memory.get(stage))


def _stages(by_stage: Iterable[Mapping[str, float]]) -> list[str]:
    """Every stage that a row has, in the order of a run."""
    return order_stages(stage for values in by_stage for stage in values)


def _write_count(value: float | None) -> str:
    """``60.0k``, ``1.25M``: three digits are enough to compare compute."""
    if value is None:
        return NOTHING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def _bytes(value: float | None) -> str:
    return decimal(round(value)).replace("bytes", "B") if value else NOTHING
