"""Texts that strangers wrote, made harmless for each place that shows them. Imports nothing heavy.

Names, reasons and sources come out of records, cards and files of others: they may hold codes that move a cursor, turn
the direction of writing, forge a row of a table or begin a formula. Whatever shows them passes them through here; pages
of HTML are escaped by their template as well.
"""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn"}
"""Unicode categories of what has no picture of its own but may change how its neighbours look."""
_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~&#$]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    **{character: "\\" + character for character in "&%$#_{}"},
    # At the beginning of a line they would be an argument of the one before.
    **{character: f"{{{character}}}" for character in "[]*"},
}
MOST_CHARACTERS = 8_000
"""Of a message to a user, or so; beyond it a value that it quotes hides what it says."""
_FIRST = 6_000
_LINE = (2_000, 1_400)
"""Characters of a line, and how many of them from its beginning."""
_LEFT_OUT = " [...] "
_FORMULA = ("=", "+", "-", "@")
"""How a cell begins that a spreadsheet computes."""


def visible(text: str) -> str:
    """The text on one line, with a visible code in place of every character that has no picture: ``pca⟨202E⟩``."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(f"⟨{ord(one):04X}⟩" if unicodedata.category(one) in _UNSEEN else one for one in text)


def visible_lines(text: str) -> str:
    """As :func:`visible`, where the text may have several lines of its own."""
    return "\n".join(map(visible, text.split("\n")))


def shorten(text: str) -> str:
    """The text with at most :data:`MOST_CHARACTERS`: what stands in the middle is left out, of lines and of the whole.

    A message begins with what is wrong and ends with what to do; a stranger's value stands between.
    """
    lines = text if len(text) <= _LINE[0] else "\n".join(_cut(line, *_LINE) for line in text.split("\n"))
    return _cut(lines, MOST_CHARACTERS, _FIRST)


def _cut(text: str, most: int, first: int) -> str:
    if len(text) <= most:
        return text
    return text[:first] + _LEFT_OUT + text[len(text) - (most - first - len(_LEFT_OUT)) :]


def escape_markdown(text: str) -> str:
    """For a cell or a line of Markdown: as text, whatever characters it has."""
    return _MARKDOWN.sub(lambda found: "\\" + found[0], visible(text))


def escape_latex(text: str) -> str:
    """For LaTeX: as text, whatever characters it has."""
    return "".join(_LATEX.get(character, character) for character in visible(text))


def escape_cell(text: str) -> str:
    """For a cell of a spreadsheet: what would begin a formula follows an apostrophe, which shows it as text."""
    seen = visible(text)
    return f"'{seen}" if seen.lstrip().startswith(_FORMULA) else seen
