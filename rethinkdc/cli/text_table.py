"""A table of text for a terminal: fast also where it has thousands of lines."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich import markup
from rich.cells import cell_len, set_cell_size

from rethinkdc.texts import visible, visible_lines

GAP = 2
"""Columns of the window between two of a table."""
_LEAST_NAME = 12
"""Columns that a name gets, however narrow the window is."""
_WORD = re.compile(r"[^ :,+]*[ :,+]+|[^ :,+]+")
"""A part of a name behind which a line may end: ``pca:``, ``images=10000,``, ``random + ``."""


def window_width() -> int:
    """Columns of the terminal, or of ``COLUMNS``; 80 where there is neither."""
    return shutil.get_terminal_size((80, 24)).columns


def styled(text: str, code: int) -> str:
    """With a style in a terminal, such as 1 = bold; as it is in a file or a pipe."""
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def escape(text: str) -> str:
    """For a table or a line of rich: as text, whatever marks and codes it has."""
    return markup.escape(visible_lines(text))


def wrap(text: str, width: int) -> str:
    """Lines of a text that are no wider than the window."""
    return "\n".join(textwrap.wrap(visible(text), width, subsequent_indent="  ", break_on_hyphens=False))


def column_width(name: str, cells: Iterable[str]) -> int:
    """Columns of the window that one column takes; its head is broken into words."""
    return max(cell_len(text) for text in (*name.split(" "), *map(visible, cells)))


class TextTable:
    """Texts in columns below their heads; one column holds names, to the left, and is folded where there is no room."""

    def __init__(self, columns: Mapping[str, Sequence[str]], named: str) -> None:
        self._named = list(columns).index(named)
        self._heads = [name.split(" ") for name in columns]
        self._lines = list(zip(*([visible(cell) for cell in cells] for cells in columns.values()), strict=True))
        self._widths = [column_width(name, cells) for name, cells in columns.items()]

    @property
    def width(self) -> int:
        """Columns of the window that it takes where nothing is folded."""
        return sum(self._widths) + GAP * (len(self._widths) - 1)

    def draw(self, width: int) -> list[str]:
        """Its lines, no wider than ``width`` as far as folding names can help."""
        widths = list(self._widths)
        name = widths[self._named]
        widths[self._named] = max(min(_LEAST_NAME, name), name - max(0, self.width - width))
        deep = max(map(len, self._heads))
        heads = [[*[""] * (deep - len(head)), *head] for head in self._heads]
        drawn = [self._join([head[level] for head in heads], widths) for level in range(deep)]
        drawn.append("-" * min(width, sum(widths) + GAP * (len(widths) - 1)))
        for line in self._lines:
            first, *more = _fold(line[self._named], widths[self._named])
            drawn.append(self._join([*line[: self._named], first, *line[self._named + 1 :]], widths))
            indent = " " * sum(width + GAP for width in widths[: self._named])
            drawn += [indent + part for part in more]
        return drawn

    def _join(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            set_cell_size(cell, width) if place == self._named else " " * (width - cell_len(cell)) + cell
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return (" " * GAP).join(padded).rstrip()


def _fold(text: str, width: int) -> list[str]:
    """Pieces that are no wider than ``width``, broken behind a word where that helps; together they are the text."""
    pieces = [""]
    for word in _WORD.findall(text):
        if pieces[-1] and cell_len(pieces[-1]) + cell_len(word.rstrip()) > width:
            pieces.append("")
        for character in word:
            if cell_len(pieces[-1]) + cell_len(character) > width and not character.isspace():
                pieces.append("")
            pieces[-1] += character
    return [piece.rstrip() for piece in pieces]
