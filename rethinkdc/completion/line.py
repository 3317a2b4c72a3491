"""A command line that is being typed, up to the cursor."""

from __future__ import annotations

from typing import NamedTuple

_QUOTES = "'\""
_BLANK = " \t\n"


class Line(NamedTuple):
    """What is typed.

    Attributes:
        words: the whole words before the cursor's, the program's own name first; unquoted.
        word: the beginning of the word at the cursor, unquoted; may be empty.
        quoted: whether that word stands in a quote that is still open.
    """

    words: tuple[str, ...]
    word: str
    quoted: bool


def split_line(text: str) -> Line:
    """Splits a line as a shell would, whatever is not closed yet; nothing is expanded."""
    words: list[str] = []
    word, quote, begun, escaped = "", "", False, False
    for letter in text:
        if escaped:
            word, escaped = word + letter, False
        elif letter == "\\" and quote != "'":
            escaped = begun = True
        elif quote:
            quote, word = ("", word) if letter == quote else (quote, word + letter)
        elif letter in _QUOTES:
            quote, begun = letter, True
        elif letter in _BLANK:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + letter, True
    return Line(tuple(words), word, bool(quote))
