"""Boards as they are printed, in each form."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

from rethinkdc.boards import Board
from rethinkdc.boards.notes import caption, lacking_notes, notes_on
from rethinkdc.cli import board_data
from rethinkdc.cli.board_columns import fill_columns, further_columns, result_columns
from rethinkdc.cli.board_texts import latex, markdown
from rethinkdc.cli.text_table import GAP, TextTable, column_width, printable, styled, window_width

Form = Literal["rich", "md", "csv", "latex", "json"]
_BOLD, _DIM = 1, 2


def print_boards(boards: Sequence[Board], form: Form, *, wide: bool = False) -> None:
    """Prints boards; ``wide``: all columns of a table for a terminal, however wide."""
    if form == "json":
        board_data.print_json(boards)
    elif form == "csv":
        board_data.print_csv(boards)
    elif form == "rich":
        print("\n\n".join(plain_text(board, wide=wide) for board in boards))
    else:
        write = markdown if form == "md" else latex
        print("\n\n".join(write(board, wide=wide) for board in boards))


def plain_text(board: Board, *, wide: bool) -> str:
    """A board for a terminal: the columns that it holds, or all."""
    width = window_width()
    results, further = result_columns(board), further_columns(board)
    fields = fill_columns(board, {**results, **further})
    shown = {name: texts for name, texts in fields.items() if name in results}
    room = width - TextTable(shown, named="method").width
    left = []
    for name in (name for name in further if name in fields):
        room -= (needed := GAP + column_width(name, fields[name]))
        if wide or room >= 0:
            shown[name] = fields[name]
        else:
            room += needed
            left.append(name)
    table = TextTable(shown, named="method")
    lines = [styled(_wrap(caption(board), width), _BOLD), *table.draw(table.width if wide else width)]
    if left:
        lines.append(styled(_wrap(f"More columns with --wide: {', '.join(left)}.", width), _DIM))
    lines += [_wrap(note, width) for note in notes_on(board)]
    for note, command in lacking_notes(board, everything=wide):
        lines += [_wrap(note, width), f"  {command}"]
    return "\n".join(lines)


def _wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(printable(text), width, subsequent_indent="  ", break_on_hyphens=False))
