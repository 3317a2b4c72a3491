"""The columns of a file of rows or scores: their names, and what their values can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.data.array_files import describe
from rethinkdc.data.tables import Column, Table, first_text
from rethinkdc.errors import DataError

ROW_NAMES = frozenset(
    f"{what}{name}"
    for what in ("", "sample_", "image_", "img_", "example_", "data_", "row_", "train_", "selected_", "orig_")
    for name in ("row", "rows", "index", "indices", "indexes", "idx", "idxs", "inds", "id", "ids")
) | {"", "unnamed: 0", "level_0", "row_number", "number", "idx_selected", "selected_idx", "coreset"}
"""Names of columns that hold row numbers, in lower case; the nameless one is pandas' index."""

LABEL_NAMES = frozenset(
    {"label", "labels", "target", "targets", "class", "classes", "class_id", "class_index", "class_idx", "class_name"}
    | {"fine_label", "fine_labels", "y", "true_label", "category"}
)
SCORE_NAMES = frozenset({"score", "scores"})
WEIGHT_NAMES = frozenset({"weight", "weights"})
RANK_NAMES = frozenset({"rank", "ranking", "ranks", "position", "order"})


@dataclass(frozen=True)
class Named:
    """A column and how messages call it.

    Attributes:
        name: as the file spells it; empty = nameless.
        title: ``column 'idx'``, ``the nameless column``, ``column 2``, ``its numbers``.
        values: numbers [n] or texts.
    """

    name: str
    title: str
    values: Column

    @property
    def key(self) -> str:
        """The name in one spelling."""
        return (
            self.name.strip().lower().replace("-", "_").replace(" ", "_") if self.name.lower() != "unnamed: 0" else ""
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def numbers(self) -> Tensor:
        """Its numbers.

        Raises:
            DataError: it holds text; names the first.
        """
        if isinstance(self.values, Tensor):
            return self.values
        place, text = first_text(self.values)
        raise DataError(f"{self.title} must hold numbers; entry {place + 1} is {text!r}")

    @property
    def whole(self) -> Tensor | None:
        """Its numbers as int64 where each is whole; None = they are not."""
        if not isinstance(self.values, Tensor) or self.values.dtype == torch.bool:
            return None
        if not self.values.is_floating_point():
            return self.values.long()
        values = self.values.double()
        exact = bool((values == values.round()).all()) and bool((values.abs() < 2**53).all())
        return values.long() if exact else None

    def counts_to(self, rows: int) -> bool:
        """Whether it is a permutation of 0..rows-1."""
        whole = self.whole
        return len(self) == rows and whole is not None and torch.equal(whole.sort().values, torch.arange(rows))

    @property
    def is_counter(self) -> bool:
        """Whether it counts its own lines, from 0 or from 1."""
        whole = self.whole
        if whole is None or not len(self):
            return False
        lines = torch.arange(len(self))
        return torch.equal(whole, lines) or torch.equal(whole, lines + 1)

    @property
    def is_mask(self) -> bool:
        """Whether it holds nothing but true and false, or 1 and 0."""
        if not isinstance(self.values, Tensor):
            return False
        return self.values.dtype == torch.bool or bool(((self.values == 0) | (self.values == 1)).all())


def columns_of(content: Any) -> tuple[list[Named], list[str]]:
    """The columns of what was read from a file, and what stands beside them, in words.

    Raises:
        DataError: no lists of numbers, or two columns of one name; it names no file.
    """
    content = _join_numbers(content)
    if isinstance(content, Tensor):
        return _columns_of_tensor(content), []
    if isinstance(content, Table):
        return _columns_of_table(content), []
    if isinstance(content, Mapping):
        return _entries(content)
    raise DataError(f"it holds {describe(content)}, and a list of numbers is expected")


def find(columns: Sequence[Named], name: str) -> Named:
    """The column that a user names.

    Raises:
        DataError: there is none; lists the names.
    """
    for column in columns:
        if column.name == name:
            return column
    known = ", ".join(column.name or "(nameless)" for column in columns if column.title != LONE) or "none has a name"
    raise DataError(f"it has no column {name!r}. Known: {known}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names the file in errors about what it holds."""
    try:
        yield
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"{path}: {str(error).rstrip('.')}.") from error


LONE = "its numbers"


def _columns_of_tensor(content: Tensor) -> list[Named]:
    _require_dense(content)
    squeezed = content.flatten() if content.ndim == 2 and 1 in content.shape else content
    if squeezed.ndim == 1:
        return [Named("", LONE, squeezed)]
    if squeezed.ndim != 2:
        raise DataError(f"it holds {describe(content)}, and a list of numbers is expected")
    return [Named("", f"column {place + 1}", column) for place, column in enumerate(squeezed.unbind(1))]


def _columns_of_table(content: Table) -> list[Named]:
    if not content.names:
        return [Named("", f"column {place + 1}", column) for place, column in enumerate(content.columns)]
    if len(set(content.names)) != len(content.names):
        raise DataError(f"two of its columns have one name: {', '.join(content.names)}")
    return [Named(name, _title(name), column) for name, column in zip(content.names, content.columns, strict=True)]


def _entries(content: Mapping[str, Any]) -> tuple[list[Named], list[str]]:
    """Lists as columns; single values are told of, and anything else is refused."""
    columns, beside = [], []
    for name, value in content.items():
        value = _join_numbers(value)
        if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
            columns.append(Named(str(name), _title(str(name)), tuple(value)))
        elif isinstance(value, Tensor) and value.ndim:
            (column, *more) = _columns_of_tensor(value)
            if more:
                raise DataError(f"{_title(str(name))} holds {describe(value)}, and a list of numbers is expected")
            columns.append(Named(str(name), _title(str(name)), column.values))
        elif value is None or isinstance(value, int | float | str | Tensor):
            beside.append(f"{name} = {value.item() if isinstance(value, Tensor) else value}")
        else:
            raise DataError(f"{_title(str(name))} holds {describe(value)}, and a list of numbers is expected")
    if not columns:
        raise DataError(f"it holds {describe(content)}, and a list of numbers is expected")
    return columns, beside


def _join_numbers(value: Any) -> Any:
    """A list of numbers, also of tensors that hold one each, as a tensor; anything else as it is."""
    if not isinstance(value, list | tuple) or not value:
        return value
    if all(isinstance(item, int | float) for item in value):
        return torch.tensor(value, dtype=None if all(isinstance(item, int) for item in value) else torch.float64)
    if all(isinstance(item, Tensor) and item.ndim == 0 for item in value):
        return torch.stack(list(value))
    return value


def _require_dense(tensor: Tensor) -> None:
    packed = tensor.is_nested or tensor.is_quantized
    if tensor.layout != torch.strided or packed or tensor.is_meta or tensor.is_complex():
        raise DataError("it holds a tensor that is not dense and real")


def _title(name: str) -> str:
    return f"column {name!r}" if name else "the nameless column"
