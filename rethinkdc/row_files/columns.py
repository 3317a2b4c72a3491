"""From what a file of rows or scores holds to its columns."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.files.arrays import describe
from rethinkdc.files.plain_values import VALUE
from rethinkdc.files.tables import Table
from rethinkdc.row_files.named_column import LONE, Named, title_of


def columns_of(content: Any, chosen: str | None = None) -> tuple[list[Named], list[str]]:
    """The columns of what was read from a file, and what stands beside them, in words.

    Args:
        content: what :func:`~rethinkdc.files.arrays.read_arrays` gives; lists within mappings are columns too.
        chosen: the column that a user names: what is no list of numbers is then left out.

    Raises:
        DataError: no lists of numbers, or two columns of one name; it names no file.
    """
    if isinstance(content, Tensor):
        return _columns_of_tensor(content), []
    if isinstance(content, Table):
        return _columns_of_table(content), []
    columns, beside, odd = _entries(content) if isinstance(content, Mapping) else ([], [], [])
    if not columns:
        raise DataError(f"it holds {odd[0] if odd else describe(content)}, and a list of numbers is expected")
    if odd and chosen is None:
        names = " or ".join(f"column={column.name}" for column in columns[:2] if column.name)
        hint = f"; name the list that is meant with {names}" if names else ""
        raise DataError(f"it holds {odd[0]}, and a list of numbers is expected{hint}")
    return columns, [*beside, *odd]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names the file in errors about what it holds."""
    try:
        yield
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"{path}: {str(error).rstrip('.')}.") from error


def _columns_of_tensor(content: Tensor) -> list[Named]:
    plain = _plain(content)
    # In whatever direction a lone list lies.
    plain = plain.flatten() if plain.ndim > 1 and plain.numel() == max(plain.shape) else plain
    if plain.ndim == 1:
        return [Named("", LONE, plain)]
    if plain.ndim != 2:
        raise DataError(f"it holds {describe(content)}, and a list of numbers is expected")
    return [Named("", f"column {place + 1}", column) for place, column in enumerate(plain.unbind(1))]


def _columns_of_table(content: Table) -> list[Named]:
    columns = [_plain(column) if isinstance(column, Tensor) else column for column in content.columns]
    if not content.names:
        return [Named("", f"column {place + 1}", column) for place, column in enumerate(columns)]
    if len(set(content.names)) != len(content.names):
        raise DataError(f"two of its columns have one name: {', '.join(content.names)}")
    return [Named(name, title_of(name), column) for name, column in zip(content.names, columns, strict=True)]


def _entries(content: Mapping[str, Any]) -> tuple[list[Named], list[str], list[str]]:
    """Lists as columns, single values beside them, and what is neither, in words; also of mappings within."""
    columns: list[Named] = []
    beside: list[str] = []
    odd: list[str] = []
    for name, value in _flatten(content):
        if isinstance(value, Table):
            columns += [_within(column, name) for column in _columns_of_table(value)]
        elif isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
            columns.append(Named(name, title_of(name), value))
        elif isinstance(value, Tensor) and value.ndim and value.numel() == max(value.shape):
            columns.append(Named(name, title_of(name), _plain(value).flatten()))
        elif value is None or isinstance(value, int | float | str) or (isinstance(value, Tensor) and not value.ndim):
            beside.append(f"{name} = {value.item() if isinstance(value, Tensor) else value}")
        elif isinstance(value, Mapping | list | tuple) and not value:
            beside.append(f"{name}, empty")
        elif isinstance(value, Namespace | SimpleNamespace):
            beside.append(f"{name}, options")
        else:
            odd.append(f"{describe(value)} in {title_of(name)}")
    return columns, beside, odd


def _flatten(content: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def _within(column: Named, name: str) -> Named:
    """A column of a table in a mapping, such as the scores of ``{"scores": {"0": 0.5, "1": 0.7}}``."""
    if not column.name:
        return column
    inner = name if column.name == VALUE else f"{name}.{column.name}"
    return replace(column, name=inner, title=title_of(inner))


def _plain(tensor: Tensor) -> Tensor:
    """The same numbers as bool, int64 or float64, which every operation knows.

    Raises:
        DataError: they are none, or beyond int64.
    """
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta or tensor.is_complex():
        raise DataError("it holds a tensor that is not dense and real")
    if tensor.is_quantized:
        raise DataError("it holds a quantised tensor: save tensor.dequantize()")
    if tensor.dtype == torch.bool:
        return tensor.detach()
    if tensor.is_floating_point():
        return tensor.detach().double()
    whole = tensor.detach().long()
    if tensor.dtype == torch.uint64 and bool((whole < 0).any()):
        raise DataError("it holds uint64 numbers beyond int64")
    return whole
