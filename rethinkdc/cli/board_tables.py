"""Boards as tables for a terminal and for Markdown, and as CSV and JSON data."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from rethinkdc.boards import Board, Row
from rethinkdc.boards.board import MARK
from rethinkdc.cli import tables
from rethinkdc.runs.cost import order_stages

_WIDE = 400
"""Columns where nobody's window is: a file or a pipe gets whole lines."""
_NO_CLAIM = 5
_WORTH_A_RATIO = 0.01
"""Class indices take less than this share of the images' bytes, and nobody asks for it."""
_NOTHING = "-"
_Columns = dict[str, Callable[[Row], str]]


def print_boards(boards: list[Board], form: str, *, wide: bool = False) -> None:
    """Prints boards as ``rich``, ``md``, ``csv`` or ``json``; ``wide``: all columns of a rich table, however wide."""
    if form == "json":
        tables.print_json([_plain(board) for board in boards])
    elif form == "csv":
        _print_csv(boards)
    elif form == "md":
        print("\n\n".join(markdown(board) for board in boards))
    else:
        _print_rich(boards, wide=wide)


def _plain(board: Board) -> dict[str, Any]:
    """A board as JSON data."""
    content: dict[str, Any] = TypeAdapter(Board).dump_python(board, mode="json")
    return content


def markdown(board: Board) -> str:
    """A GitHub table below its caption, and above what it leaves out."""
    names, lines = _fields(board, {**_results(board), **_costs(board)})
    rule = ["---", *["--:" if name != "method" else "---" for name in names[1:]]]
    rows = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in [names, rule, *lines]]
    notes = "".join(f"\n- {note}" for note in notes_on(board))
    return f"**{caption(board)}**\n\n" + "\n".join(rows) + (f"\n{notes}" if notes else "")


def caption(board: Board) -> str:
    """The conditions that the rows share."""
    mark = ", modified" if board.modified else ""
    evaluator = f", evaluator {board.evaluator}" if board.evaluator != "standard" else ""
    images = f" ({board.images:,} images)" if board.images else ""
    return (
        f"{board.protocol} ({board.protocol_digest[:12]}{mark}), {board.dataset} ({board.dataset_fingerprint[:12]}), "
        f"{board.track} labels, ipc {board.ipc or 'full'}{images}, student {board.student}{evaluator}"
    )


def notes_on(board: Board) -> list[str]:
    """What a reader must know beside the numbers: small n, what n counts, runs without a result."""
    notes = []
    measured = [row for row in board.rows if row.result]
    if any(row.result.n < _NO_CLAIM for row in measured if row.result):
        notes.append(f"n counts sets; n < {_NO_CLAIM} supports no claim.")
    if fixed := [_method(row, board) for row in measured if row.n_counts == "students"]:
        notes.append(f"n counts students of one set: {', '.join(fixed)}.")
    if any(MARK in row.compressor for row in board.rows):
        notes.append(
            f"{MARK.strip()} parts what has one name and is not the same: sets that were evaluated from files, other "
            "revisions or other files."
        )
    if any(row.receiver_bytes for row in measured):
        notes.append("receiver: images as JPEG q75, labels, and the teacher where it is asked while training.")
    notes += [
        f"{_method(row, board)} has used external data: {', '.join(row.external)}." for row in measured if row.external
    ]
    for row in board.rows:
        alike: dict[str, list[str]] = defaultdict(list)
        for run in row.missing:
            alike[f"{run.status}: {run.reason}"].append(tables.write_seeds(run.seeds))
        notes += [f"{_method(row, board)}, seed {'; '.join(seeds)}: {reason}" for reason, seeds in alike.items()]
    return notes


def _print_rich(boards: list[Board], *, wide: bool) -> None:
    console = Console(highlight=False)
    if wide and not console.is_terminal:
        console = Console(width=_WIDE, highlight=False)
    for board in boards:
        console.print(escape(caption(board)), style="bold")
        shown, costs = _results(board), _costs(board)
        for name, column in costs.items():
            if wide or _fits(board, {**shown, name: column}, console):
                shown[name] = column
        console.print(_table(board, shown))
        if left := [name for name in _fields(board, costs)[0] if name not in shown]:
            console.print(f"More columns with --wide: {', '.join(left)}.", style="dim")
        for note in notes_on(board):
            console.print(escape(note))
        console.print()


def _fits(board: Board, columns: _Columns, console: Console) -> bool:
    """Whether a table of these columns is no wider than the console, its names and numbers whole."""
    table = _table(board, columns)
    return console.measure(table, options=console.options.update(max_width=_WIDE)).maximum <= console.width


def _table(board: Board, columns: _Columns) -> Table:
    names, lines = _fields(board, columns)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        if name == "method":
            table.add_column(name, overflow="fold", style="cyan")
        else:
            table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*map(escape, line))
    return table


def _fields(board: Board, columns: _Columns) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table; a column that says nothing is left out."""
    shown = [(name, [show(row) for row in board.rows]) for name, show in columns.items()]
    idle = {name for name, fields in shown if set(fields) == {_NOTHING} and name not in ("rank", "method")}
    if all(row.difference is None or row.difference.n == row.result.n for row in board.rows if row.result):
        idle.add("pairs")
    kept = [(name, fields) for name, fields in shown if name not in idle]
    return [name for name, _ in kept], [list(line) for line in zip(*(fields for _, fields in kept), strict=True)]


def _results(board: Board) -> _Columns:
    percent = board.unit == "fraction"
    scale, digits = (100, 2) if percent else (1, 4)
    unit = " %" if percent else ""

    def number(value: float | None, sign: str = "") -> str:
        return _NOTHING if value is None else f"{scale * value:{sign}.{digits}f}"

    return {
        "rank": lambda row: str(row.rank or _NOTHING),
        "method": lambda row: _method(row, board),
        f"{board.metric}{unit}": lambda row: number(row.result.mean if row.result else None),
        "sd": lambda row: number(row.result.deviation if row.result else None),
        "n": lambda row: str(row.result.n) if row.result else "0",
        "attempts": lambda row: str(row.attempts) if row.attempts > row.runs + len(row.missing) else _NOTHING,
        "minus random": lambda row: number(row.difference.mean if row.difference else None, "+"),
        "sd of it": lambda row: number(row.difference.deviation if row.difference else None),
        "± 95%": lambda row: number(row.difference.half_width if row.difference else None),
        "pairs": lambda row: str(row.difference.n) if row.difference else _NOTHING,
    }


def _costs(board: Board) -> _Columns:
    def seconds(stage: str) -> Callable[[Row], str]:
        return lambda row: f"{row.seconds[stage]:.1f}" if row.seconds.get(stage, 0.0) >= 0.05 else _NOTHING

    def memory(stage: str) -> Callable[[Row], str]:
        return lambda row: _bytes(row.memory.get(stage))

    def image_bytes(form: str) -> Callable[[Row], str]:
        return lambda row: _bytes(row.image_bytes[form])

    return {
        **{f"{stage} s": seconds(stage) for stage in _stages(row.seconds for row in board.rows)},
        "teacher top1 %": lambda row: _NOTHING if row.teacher_top1 is None else f"{100 * row.teacher_top1:.2f}",
        **{f"{stage} memory": memory(stage) for stage in _stages(row.memory for row in board.rows)},
        "label bytes": lambda row: _bytes(row.label_bytes),
        "teacher bytes": lambda row: _bytes(row.teacher_bytes),
        "PNG": image_bytes("stored"),
        "JPEG q75": image_bytes("lossy"),
        "recipe": image_bytes("recipe"),
        "labels / JPEG": lambda row: f"{row.label_ratio:.3g}" if (row.label_ratio or 0) >= _WORTH_A_RATIO else _NOTHING,
        "receiver": lambda row: _bytes(row.receiver_bytes),
    }


def _stages(by_stage: Iterable[Mapping[str, float]]) -> list[str]:
    """Every stage that a row has, in the order of a run."""
    return order_stages(stage for values in by_stage for stage in values)


def _method(row: Row, board: Board) -> str:
    """The compressor; with its labeler where the board has several."""
    several = len({other.labeler for other in board.rows}) > 1
    return f"{row.compressor} + {row.labeler}" if several else row.compressor


def _bytes(value: float | None) -> str:
    return decimal(round(value)).replace("bytes", "B") if value else _NOTHING


def _print_csv(boards: list[Board]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = [row for board in boards for row in board.rows]
    # The same columns on every line, whatever stages a row has.
    seconds, memory = _stages(row.seconds for row in rows), _stages(row.memory for row in rows)
    lines = (_flat(board, row, seconds, memory) for board in boards for row in board.rows)
    for number, line in enumerate(lines):
        if not number:
            writer.writerow(line)
        writer.writerow(line.values())


def _flat(board: Board, row: Row, seconds: list[str], memory: list[str]) -> dict[str, Any]:
    """One line of CSV; None becomes an empty field."""
    result, random = row.result, row.difference
    conditions = asdict(board)
    for several in ("rows", "unmeasured", "lacking", "machine"):
        conditions.pop(several)
    conditions["semantics"] = ";".join(f"{key}={value}" for key, value in sorted(board.semantics.items()))
    return {
        **conditions,
        "rank": row.rank,
        "full": row.full,
        "compressor": row.compressor,
        "labeler": row.labeler,
        "mean": result.mean if result else None,
        "sd": result.deviation if result else None,
        "n": result.n if result else 0,
        "n_counts": row.n_counts,
        "runs": row.runs,
        "attempts": row.attempts,
        "difference": random.mean if random else None,
        "difference_sd": random.deviation if random else None,
        "difference_half_width_95": random.half_width if random else None,
        "pairs": random.n if random else 0,
        "teacher_top1": row.teacher_top1,
        "external": ";".join(row.external),
        **{f"{stage}_seconds": row.seconds.get(stage, 0.0) for stage in seconds},
        **{f"{stage}_memory": row.memory.get(stage, 0) for stage in memory},
        "label_bytes": row.label_bytes,
        "teacher_bytes": row.teacher_bytes,
        "receiver_bytes": row.receiver_bytes,
        "label_ratio": row.label_ratio,
        **{f"image_bytes_{form}": value for form, value in row.image_bytes.items()},
        "missing": "; ".join(
            f"seed {tables.write_seeds(run.seeds)}: {run.status}: {run.reason}" for run in row.missing
        ),
    }
