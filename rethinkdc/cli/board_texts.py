"""Boards as Markdown and as LaTeX: for papers and pages, with their footnotes."""

from __future__ import annotations

import re

from rethinkdc.boards import Board
from rethinkdc.boards.notes import caption, lacking_notes, notes_on
from rethinkdc.cli.board_columns import Fields, choice_columns, fill_columns, further_columns, result_columns

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~&#]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    **{character: "\\" + character for character in "&%$#_{}"},
    # At the beginning of a line they would be an argument of the one before.
    **{character: f"{{{character}}}" for character in "[]*"},
}


def markdown(board: Board, *, wide: bool) -> str:
    """A GitHub table below its caption, and above what a reader must know; ``wide``: with all columns."""
    fields = _fields(board, wide)
    rule = ["---" if name == "method" else "--:" for name in fields]
    rows = [" | ".join(map(escape_markdown, line)) for line in (fields, *zip(*fields.values(), strict=True))]
    table = "\n".join(f"| {row} |" for row in (rows[0], " | ".join(rule), *rows[1:]))
    notes = "".join(f"\n- {escape_markdown(note)}" for note in _notes(board, wide))
    return f"**{escape_markdown(caption(board))}**\n\n{table}" + (f"\n{notes}" if notes else "")


def latex(board: Board, *, wide: bool) -> str:
    """A table environment of ``booktabs``, its footnotes below the rules; ``wide``: with all columns."""
    fields = _fields(board, wide)
    align = "".join("l" if name == "method" else "r" for name in fields)
    rows = [" & ".join(map(escape_latex, line)) + r" \\" for line in (fields, *zip(*fields.values(), strict=True))]
    notes = [rf"\par {escape_latex(note)}" for note in _notes(board, wide)]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption(board))}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\footnotesize\raggedright", *notes] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def escape_markdown(text: str) -> str:
    """As text, whatever characters it has; a line break becomes a space."""
    return _MARKDOWN.sub(lambda found: "\\" + found[0], _on_one_line(text))


def escape_latex(text: str) -> str:
    """As text, whatever characters it has; a line break becomes a space."""
    return "".join(_LATEX.get(character, character) for character in _on_one_line(text))


def _on_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _fields(board: Board, wide: bool) -> Fields:
    further = further_columns(board) if wide else choice_columns(board)
    return fill_columns(board, {**result_columns(board), **further})


def _notes(board: Board, wide: bool) -> list[str]:
    return [*notes_on(board), *(f"{note} {command}" for note, command in lacking_notes(board, everything=wide))]
