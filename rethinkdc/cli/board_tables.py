"""Boards as they are printed, in each form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from rethinkdc.boards import Board
from rethinkdc.boards.index import LeftOut
from rethinkdc.boards.notes import caption, lacking_notes, notes_on
from rethinkdc.cli import board_data
from rethinkdc.cli.board_columns import choice_columns, fill_columns, further_columns, result_columns
from rethinkdc.cli.board_texts import latex, markdown
from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import GAP, TextTable, column_width, styled, window_width, wrap
from rethinkdc.texts import escape_markdown, visible

Form = Literal["rich", "md", "csv", "latex", "json"]
BOLD, DIM = 1, 2


def print_boards(boards: Sequence[Board], form: Form, *, wide: bool = False) -> None:
    """Prints boards; ``wide``: all columns of a table for a terminal, however wide."""
    if form == "json":
        board_data.print_json(boards)
    elif form == "csv":
        board_data.print_csv(boards)
    elif form == "rich":
        print("\n\n".join(_sheets(boards, wide)))
    else:
        print("\n\n".join(_text(board, form, wide=wide) for board in boards))


def print_left_out(left_out: Sequence[LeftOut], form: Form) -> None:
    """Lists files in the place of records that enter no board: below boards that people read, else beside them."""
    if not left_out:
        return
    lines, head = [f"{one.file} {one.fault}." for one in left_out], "Left out, because no run wrote them:"
    if form in ("csv", "json"):
        say("\n".join(f"A record is left out: {line}" for line in lines), err=True)
    elif form == "rich":
        print("\n".join(["", styled(head, BOLD), *(wrap(line, window_width()) for line in lines)]))
    elif form == "md":
        print("\n".join(["", head, "", *(f"- {escape_markdown(line)}" for line in lines)]))
    else:
        print("\n".join(["", *(rf"% left out: {visible(line)}" for line in lines)]))


def _sheets(boards: Sequence[Board], wide: bool) -> Iterator[str]:
    """Each board for a terminal; what would be said below several is said once, at the end."""
    width = window_width()
    tables = [_table(board, wide, width) for board in boards]
    # A note on a column begins with its head, and stands below tables that show it.
    notes = [
        [note for note in notes_on(board) if note.partition(":")[0] not in hidden]
        for board, (_, hidden) in zip(boards, tables, strict=True)
    ]
    told = Counter(note for own in notes for note in own)
    wanted = dict[str, str]()
    left = dict[str, None]()
    for board, said, (table, hidden) in zip(boards, notes, tables, strict=True):
        left |= dict.fromkeys(hidden)
        wanted |= {command: note for note, command in lacking_notes(board, everything=wide) if command not in wanted}
        own = [wrap(note, width) for note in said if told[note] == 1]
        yield "\n".join([styled(wrap(caption(board), width), BOLD), *table, *own])
    common = [wrap(note, width) for note, count in told.items() if count > 1]
    common += [f"{wrap(note, width)}\n  {command}" for command, note in wanted.items()]
    if others := list(dict.fromkeys(one.name for board in boards for one in board.others)):
        common.append(styled(wrap(f"Also on record; --metric NAME ranks by it: {', '.join(others)}.", width), DIM))
    if left:
        common.append(styled(wrap(f"More columns with --wide: {', '.join(left)}.", width), DIM))
    if common:
        yield "\n".join(common)


def _table(board: Board, wide: bool, width: int) -> tuple[list[str], list[str]]:
    """The lines of a board's table, and the columns that are left out because the window is too narrow."""
    results, further = result_columns(board), further_columns(board)
    fields = fill_columns(board, {**results, **further})
    shown = {name: texts for name, texts in fields.items() if name in results}
    room = width - TextTable(shown, named="method").width
    left = []
    for name in (name for name in further if name in fields):
        needed = GAP + column_width(name, fields[name])
        if wide or needed <= room:
            shown[name] = fields[name]
            room -= needed
        else:
            left.append(name)
    table = TextTable(shown, named="method")
    return table.draw(table.width if wide else width), left


def _text(board: Board, form: Literal["md", "latex"], *, wide: bool) -> str:
    further = further_columns(board) if wide else choice_columns(board)
    columns = fill_columns(board, {**result_columns(board), **further})
    lacking = [f"{note} {command}" for note, command in lacking_notes(board, everything=wide)]
    if form == "md":
        return markdown(caption(board), columns, [*notes_on(board), *lacking])
    # In a paper's table what is still to be run is no note.
    return "\n".join([latex(caption(board), columns, notes_on(board)), *(f"% {visible(line)}" for line in lacking)])
