"""Boards as they are printed, in each form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rethinkdc.boards import Board
from rethinkdc.boards.notes import caption, lacking_notes, notes_on
from rethinkdc.cli import board_data
from rethinkdc.cli.board_columns import choice_columns, fill_columns, further_columns, result_columns
from rethinkdc.cli.board_texts import latex, markdown
from rethinkdc.cli.text_table import GAP, TextTable, column_width, styled, window_width, wrap

Form = Literal["rich", "md", "csv", "latex", "json"]
BOLD, DIM = 1, 2


def print_boards(boards: Sequence[Board], form: Form, *, wide: bool = False) -> None:
    """Prints boards; ``wide``: all columns of a table for a terminal, however wide."""
    if form == "json":
        board_data.print_json(boards)
    elif form == "csv":
        board_data.print_csv(boards)
    elif form == "rich":
        print("\n\n".join(plain_text(board, wide=wide) for board in boards))
    else:
        print("\n\n".join(_text(board, form, wide=wide) for board in boards))


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
    lines = [styled(wrap(caption(board), width), BOLD), *table.draw(table.width if wide else width)]
    if left:
        lines.append(styled(wrap(f"More columns with --wide: {', '.join(left)}.", width), DIM))
    lines += [wrap(note, width) for note in notes_on(board)]
    for note, command in lacking_notes(board, everything=wide):
        lines += [wrap(note, width), f"  {command}"]
    return "\n".join(lines)


def _text(board: Board, form: Literal["md", "latex"], *, wide: bool) -> str:
    further = further_columns(board) if wide else choice_columns(board)
    columns = fill_columns(board, {**result_columns(board), **further})
    lacking = [f"{note} {command}" for note, command in lacking_notes(board, everything=wide)]
    write = markdown if form == "md" else latex
    return write(caption(board), columns, [*notes_on(board), *lacking])
