"""TOML files with the line of each value, so that an error can say where it is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rethinkdc import documents
from rethinkdc.errors import RequestError
from rethinkdc.storage import read_regular

MOST_BYTES = 1 << 20
"""Of a file: those that people write have a hundredth."""

Place = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_PAIR = re.compile(rf"\s*({_DOTTED})\s*=")
# What may hold brackets and quotes that mean nothing, the longest first; then the brackets that do.
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#.*|[\[\]{}]')


@dataclass(frozen=True)
class TomlFile:
    """What a TOML file says, and where; two of the same path and text are equal.

    Attributes:
        path: of the file.
        text: as it is written.
        content: as it is read.
    """

    path: Path
    text: str
    content: dict[str, Any] = field(compare=False)

    def line(self, place: Place) -> int:
        """The 1-based line of a value; where it is missing, or lies in a line with others, of what should hold it."""
        for end in range(len(place), 0, -1):
            if place[:end] in self._lines:
                return self._lines[place[:end]]
        return 1

    @cached_property
    def _lines(self) -> dict[Place, int]:
        return _find_lines(self.text)


def read_toml(path: Path, what: str, next_step: str) -> TomlFile:
    """Reads a TOML file.

    Args:
        path: the file.
        what: what an error calls it.
        next_step: what an error about a missing file recommends.

    Raises:
        RequestError: the file cannot be read, or is no TOML.
    """
    return parse_toml(read_toml_text(path, what, next_step), path)


def read_toml_text(path: Path, what: str, next_step: str) -> str:
    """The text of a TOML file; as :func:`read_toml` otherwise."""
    try:
        return read_regular(path, MOST_BYTES).decode()
    except OSError as error:
        raise RequestError(f"Cannot read the {what} {path}: {error.strerror}. {next_step}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not valid TOML: {error}.") from error


def parse_toml(text: str, path: Path) -> TomlFile:
    """Parses a text as the TOML file that it was read from; as :func:`read_toml` otherwise."""
    try:
        return TomlFile(path, text, documents.parse_toml(text))
    except ValueError as error:
        raise RequestError(f"{path} is not valid TOML: {error}.") from error


def _find_lines(text: str) -> dict[Place, int]:
    """The line of every table and every key, but for keys within the braces of an inline table."""
    lines: dict[Place, int] = {}
    tables: Counter[Place] = Counter()
    table: Place = ()
    depth, quotes = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not depth and not quotes:
            if header := _HEADER.match(line):
                table = _within(_keys(header[2]), tables)
                if header[1] == "[[":
                    lines.setdefault(table, number)
                    tables[table] += 1
                    table = (*table, tables[table] - 1)
                lines[table] = number
                continue
            if pair := _PAIR.match(line):
                lines[(*table, *_keys(pair[1]))] = number
        depth, quotes = _open_after(line, depth, quotes)
    return lines


def _keys(dotted: str) -> list[str]:
    """The parts of ``a."b.c".d``, without their quotes."""
    return [key[1:-1] if key[0] in "\"'" else key for key in re.findall(_KEY, dotted)]


def _within(keys: list[str], tables: Counter[Place]) -> Place:
    """A table's place: below the last element of each array of tables that its name leads through."""
    place: Place = ()
    for index, key in enumerate(keys):
        place = (*place, key)
        if tables[place] and index < len(keys) - 1:
            place = (*place, tables[place] - 1)
    return place


def _open_after(line: str, depth: int, quotes: str) -> tuple[int, str]:
    """How many brackets, and which triple quotes, are open after a line."""
    position = 0
    while position < len(line):
        if quotes:
            end = line.find(quotes, position)
            if end < 0:
                return depth, quotes
            position, quotes = end + 3, ""
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        if token[0] in ('"""', "'''"):
            quotes = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
    return depth, quotes
