"""Lists, mappings and records of plain values, as JSON and torch keep them, to tensors and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.files.tables import Column, Table, parse_column

VALUE = "value"
"""What the second column of a mapping by rows is called."""
_SPLIT = {"columns", "index", "data"}
"""The keys of pandas' form ``split``."""


def arrange(content: Any) -> Any:
    """Lists of numbers as tensors; pandas' forms (records, a series by row, columns of such) as tables.

    A mapping whose keys are all whole numbers has a line for each; any other keeps its keys.

    Raises:
        DataError: records that do not all have the same fields.
    """
    if isinstance(content, list | tuple):
        if content and all(isinstance(item, Mapping) for item in content):
            return _of_records([*content])
        return _of_list(content)
    if not isinstance(content, Mapping) or not content:
        return content
    values = list(content.values())
    if set(content) == _SPLIT and all(isinstance(value, list) for value in values):
        return _of_split(content["columns"], content["index"], content["data"])
    if _by_row(content):
        return _table({"": list(content), VALUE: values})
    if all(isinstance(value, Mapping) for value in values):
        if _numbered(content):
            return _of_records([{"": key, **value} for key, value in content.items()])
        if all(_by_row(value) and list(value) == list(values[0]) for value in values):
            return _table({"": list(values[0]), **{name: list(value.values()) for name, value in content.items()}})
    return {name: arrange(value) for name, value in content.items()}


def column_of(values: Sequence[Any]) -> Column:
    """Numbers or texts of a column of plain values; None is an empty cell."""
    plain = [value.item() if isinstance(value, Tensor) else value for value in values]
    return parse_column(["" if value is None else str(value) for value in plain])


def _numbered(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(
        type(key) is int or (isinstance(key, str) and key.isascii() and key.isdecimal()) for key in content
    )


def _by_row(content: Mapping[Any, Any]) -> bool:
    return _numbered(content) and all(_is_plain(value) for value in content.values())


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, int | float | str) or (isinstance(value, Tensor) and not value.ndim)


def _of_records(records: list[Mapping[str, Any]]) -> Table:
    names = list(records[0])
    if any(item.keys() != records[0].keys() for item in records):
        raise DataError(f"its records do not all have the fields {', '.join(names)}")
    if odd := next((name for name in names for item in records if not _is_plain(item[name])), None):
        raise DataError(f"the field {odd!r} of its records holds lists, and one value is expected")
    return _table({name: [item[name] for item in records] for name in names})


def _of_split(names: list[Any], index: list[Any], lines: list[Any]) -> Table:
    wide = all(isinstance(line, list) and len(line) == len(names) for line in lines)
    if not wide or len(index) != len(lines):
        raise DataError(f"its lines do not all have the fields {', '.join(map(str, names))}")
    return _table({"": index, **{str(name): [line[place] for line in lines] for place, name in enumerate(names)}})


def _table(columns: Mapping[str, list[Any]]) -> Table:
    return Table(tuple(columns), tuple(column_of(values) for values in columns.values()))


def _of_list(items: Sequence[Any]) -> Any:
    if items and all(isinstance(item, str) for item in items):
        return parse_column([*items])
    if not items or not all(item is None or isinstance(item, int | float) for item in items):
        # Numbers of several dimensions become one tensor; ragged ones stay lists.
        parts = [_of_list(item) if isinstance(item, list | tuple) else item for item in items]
        same = {(part.shape, part.dtype) if isinstance(part, Tensor) else None for part in parts}
        return torch.stack(parts) if items and len(same) == 1 and isinstance(parts[0], Tensor) else parts
    if all(isinstance(item, bool) for item in items):
        return torch.tensor(items)
    whole = all(isinstance(item, int) for item in items)
    numbers = [float("nan") if item is None else item for item in items]
    return torch.tensor(numbers, dtype=torch.int64 if whole else torch.float64)
