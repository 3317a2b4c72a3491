"""Tables as people write them: columns of numbers or of texts, and the reader of those that are plain text."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor

from rethinkdc.errors import DataError

Column = Tensor | tuple[str, ...]
"""Numbers (int64, float64 or bool [n]; NaN where a cell is empty), or texts."""

_NO_NUMBER = frozenset({"", "nan", "na", "n/a", "null", "none"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_DECLARED = re.compile(r"sep=(.)", re.IGNORECASE)
"""Excel's first line, which names the separator."""


@dataclass(frozen=True)
class Table:
    """Columns of one length.

    Attributes:
        names: one for each column, empty where the header has none; no name at all where there is no header.
        columns: what they hold.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0


def read_text(text: str) -> Table | Tensor:
    """Reads numbers from text: lines of a table, one number on each line, all on one line, or in brackets.

    Fields are parted by tabs, semicolons, commas or blanks; lines that begin with ``#`` are comments. A decimal comma
    is understood where fields are parted otherwise; numbers that may as well have commas between thousands stay texts.

    Returns:
        A table; or a tensor [n] where there is but one list of numbers, without a header.

    Raises:
        DataError: lines of different lengths, lists within a list, or no numbers; says which. It names no file.
    """
    lines = [line.strip(" \r") for line in text.splitlines()]
    data = [line for line in lines if line.strip() and not line.startswith("#")]
    if not data:
        raise DataError("it holds no numbers")
    if (data[0][0], data[-1][-1]) in (("[", "]"), ("(", ")")):
        return _read_brackets(" ".join(data))
    declared = _DECLARED.fullmatch(data[0]) if len(data) > 1 else None
    if declared:
        data = data[1:]
    delimiter = declared[1] if declared else next((mark for mark in "\t;," if mark in data[0]), None)
    fields = _drop_ends(_split(data, delimiter))
    header = fields.pop(0) if len(fields) > 1 and _is_header(fields[0], fields[1]) else _commented(lines, fields[0])
    if header and len(header) == len(fields[0]) - 1 and any(row[-1] for row in fields):
        # R leaves out the name of the column of row names; where the last is empty, it may as well lack that one.
        header = ["", *header]
    _check_lengths(header, fields)
    if not header and len(fields) == 1 and len(fields[0]) > 1:
        return _numbers(fields[0])
    columns = tuple(parse_column(column, commas=delimiter != ",") for column in zip(*fields, strict=True))
    if not header and len(columns) == 1 and isinstance(columns[0], Tensor):
        return columns[0]
    return Table(tuple(header), columns)


def parse_column(cells: Sequence[str], *, commas: bool = False) -> Column:
    """Numbers where every cell is one (or empty, which becomes NaN), else the texts as they stand.

    Args:
        cells: of one column.
        commas: whether ``0,5`` is the number 0.5.
    """
    stripped = [cell.strip() for cell in cells]
    words = {cell.lower() for cell in stripped}
    if words <= {"true", "false"}:
        return torch.tensor([cell.lower() == "true" for cell in stripped])
    if any("_" in word for word in words):
        return tuple(stripped)
    with_commas = [word for word in words if "," in word]
    if commas and not all(map(_THOUSANDS.fullmatch, with_commas)):
        stripped = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in stripped]
    try:
        return torch.tensor([int(cell) for cell in stripped], dtype=torch.int64)
    except (ValueError, RuntimeError, OverflowError):
        pass
    try:
        numbers = [float("nan") if cell.lower() in _NO_NUMBER else float(cell) for cell in stripped]
    except ValueError:
        return tuple(stripped)
    column = torch.tensor(numbers, dtype=torch.float64)
    # Infinity is a word; digits that no float holds are a mistake, or the name of something, such as 83e45678.
    beyond = any(any(map(str.isdigit, stripped[place])) for place in column.isinf().nonzero().flatten().tolist())
    return tuple(stripped) if beyond else column


def is_ambiguous(cell: str) -> bool:
    """Whether its commas may part thousands or be the decimal point."""
    return bool(_THOUSANDS.fullmatch(cell))


def first_text(column: Sequence[str]) -> tuple[int, str]:
    """Position and text of the first cell that is no number; (0, the first) where each would be one by itself."""
    found = ((place, cell) for place, cell in enumerate(column) if not isinstance(parse_column([cell]), Tensor))
    return next(found, (0, column[0]))


def _split(lines: list[str], delimiter: str | None) -> list[list[str]]:
    if delimiter is None:
        return [line.split() for line in lines]
    return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]


def _drop_ends(fields: list[list[str]]) -> list[list[str]]:
    """Without the empty field that a separator at the end of every line leaves."""
    while all(len(row) > 1 and not row[-1] for row in fields):
        fields = [row[:-1] for row in fields]
    return fields


def _is_header(first: list[str], second: list[str]) -> bool:
    """Tells a line of names from the first line of data by the line that follows."""
    named = [not _is_number(cell) for cell in first]
    if all(named):
        return True
    above = zip_longest(first, second, fillvalue="")
    return any(not _is_number(name) and _is_number(cell) for name, cell in above)


def _is_number(cell: str) -> bool:
    return bool(cell) and bool(_DECIMAL_COMMA.fullmatch(cell) or isinstance(parse_column([cell]), Tensor))


def _commented(lines: list[str], first: list[str]) -> list[str]:
    """Names in the comment above the data, as ``numpy.savetxt(header=...)`` writes them; none where they do not fit."""
    above = [line for line in lines[:1] if line.startswith("#")]
    names = re.split(r"[\t;, ]+", above[0].lstrip("# ")) if above else []
    fits = len(names) == len(first) > 1 and not any(_is_number(name) for name in names)
    return names if fits else []


def _check_lengths(header: list[str], fields: list[list[str]]) -> None:
    wanted = len(header or fields[0])
    for number, row in enumerate(fields, start=2 if header else 1):
        if len(row) != wanted:
            raise DataError(
                f"line {number} has {len(row)} fields, {'the header' if header else 'line 1'} has {wanted}. "
                "Where each line lists the rows of one class, write one row number on each line"
            )


def _read_brackets(text: str) -> Tensor:
    inner = text[1:-1]
    if "[" in inner or "(" in inner:
        raise DataError("it holds lists within a list. Where each is of one class, write one row number on each line")
    return _numbers(re.split(r"[,;\s]+", inner.strip(" ,")) if inner.strip() else [])


def _numbers(cells: list[str]) -> Tensor:
    column = parse_column(cells)
    if not isinstance(column, Tensor):
        place, cell = first_text(column)
        raise DataError(f"entry {place + 1} is {cell!r}, and numbers are expected")
    return column
