"""The line that pandas writes above a series without a name: 0, which looks like one number more."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.row_files.named_column import LONE, Named

_PLAIN_TEXT = (".csv", ".tsv", ".txt")
_TOLD = "its first line, 0: pandas' header, not used"


def fit_length(columns: list[Named], path: Path, rows: int) -> tuple[list[Named], list[str]]:
    """Leaves out pandas' header above scores: one number more than rows, the first of them 0.

    Returns:
        The columns, and what is to be told.

    Raises:
        DataError: no column has one entry per row.
    """
    lengths = {len(column) for column in columns}
    if rows in lengths:
        return columns, []
    if lengths == {rows + 1} and (without := _without_header(columns, path)):
        return without, [_TOLD]
    found = " or ".join(f"{length:,}" for length in sorted(lengths))
    raise DataError(
        f"it holds {found} scores; the training set has {rows:,} rows. Name the dataset that it belongs to with "
        "--dataset; under --tune the training set is a part of it"
    )


def drop_header(columns: list[Named], path: Path, classes: int) -> tuple[list[Named], list[str]]:
    """Leaves out pandas' header above rows where a 0 must be one.

    Returns:
        The columns, and what is to be told.

    Raises:
        DataError: a 0 that may be the header or row 0.
    """
    without = _without_header(columns, path)
    if without is None:
        return columns, []
    if bool((without[0].numbers == 0).any()):
        # Row 0 cannot be listed twice.
        mask = columns[0].is_mask
        return (columns, []) if mask else (without, [_TOLD])
    count = len(without[0])
    if classes > 1 and count % classes == 0 and count:
        raise DataError(
            f"it lists {count + 1:,} numbers, the first 0, which may be the header that pandas writes or row 0. Delete "
            "that line, or write the header row above it"
        )
    return columns, []


def _without_header(columns: list[Named], path: Path) -> list[Named] | None:
    """The lone column of a text file without its first number where that is 0; None for any other file."""
    if path.suffix.lower() not in _PLAIN_TEXT or len(columns) != 1 or columns[0].title != LONE:
        return None
    values = columns[0].values
    if not isinstance(values, Tensor) or len(values) < 2 or float(values[0]) != 0:
        return None
    return [Named("", LONE, values[1:])]
