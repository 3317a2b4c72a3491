"""The columns that say which row each line of a file speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.row_files.named_column import ROW_NAMES, Named
from rethinkdc.row_files.reading import check_numbers

_NUMBER = re.compile(r"\d+")


def find_numbering(columns: Sequence[Named], rows: int) -> list[Named]:
    """The columns that number the rows: those with such a name, or else any other permutation of 0..rows-1.

    Raises:
        DataError: one is called so, has a whole number for each row, and does not number them.
    """
    permuted = [c for c in columns if c.counts_to(rows)]
    named = [c for c in permuted if c.key in ROW_NAMES and c.title.startswith(("column '", "the nameless"))]
    broken = [
        c for c in columns if c.key in ROW_NAMES - {""} and c not in permuted and len(c) == rows and c.whole is not None
    ]
    if broken:
        check_numbers(broken[0], rows, each=True)
    return named or permuted


def choose_numbering(columns: Sequence[Named], rows: int) -> tuple[Named | None, list[Named]]:
    """The column that names the rows, and those that only count the lines beside it.

    Args:
        columns: permutations of 0..rows-1.
        rows: number of training rows.

    Raises:
        DataError: two columns number the rows differently.
    """
    identity = torch.arange(rows)
    telling = [c for c in columns if not torch.equal(_whole(c), identity)] or list(columns[:1])
    if any(not torch.equal(_whole(c), _whole(telling[0])) for c in telling):
        names = " and ".join(c.title for c in telling)
        raise DataError(f"{names} number the rows differently: leave one of them out")
    row = telling[0] if telling else None
    return row, [c for c in columns if c is not row]


def refuse_other_order(columns: Sequence[Named], rows: int) -> None:
    """Refuses line order where a column that nobody uses numbers the rows in another: from 1, or by names of files.

    Raises:
        DataError: names the column.
    """
    for column in columns:
        numbers = _numbers_of(column)
        if numbers is None or len(numbers) != rows:
            continue
        for first in (0, 1):
            counted = torch.arange(first, first + rows)
            if torch.equal(numbers.sort().values, counted) and not torch.equal(numbers, counted):
                raise DataError(
                    f"{column.title} numbers the rows {first} to {first + rows - 1} in another order than that of the "
                    "lines: write these numbers, counted from 0, into a column named row"
                )


def _numbers_of(column: Named) -> Tensor | None:
    """Its whole numbers, or the last one in each of its texts, without folder and ending."""
    if isinstance(column.values, Tensor):
        return column.whole
    stems = (text.replace("\\", "/").rpartition("/")[2].partition(".")[0] for text in column.values)
    found = [_NUMBER.findall(stem) for stem in stems]
    return torch.tensor([int(each[-1][-18:]) for each in found]) if all(found) else None


def _whole(column: Named) -> Tensor:
    whole = column.whole
    assert whole is not None
    return whole
