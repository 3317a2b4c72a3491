"""Columns of labels: of any type that means one class for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rethinkdc.errors import DataError

_NO_LABEL = -1
_MOST = 1_000_000
"""Classes that bare numbers may have: beyond it they are ids, and a name for each would fill the memory."""
_EXACT = 2.0**53
"""Up to it, floats are whole numbers without a gap."""
_EXPECTED = "expected whole numbers or texts"


def read_targets(column: Any, names: Sequence[str] | None, label: str) -> tuple[Tensor, tuple[str, ...]]:
    """Reads class indices int64 [N] and names: those stated, else the distinct texts sorted, else ``str(index)``.

    Args:
        column: a ``pyarrow.ChunkedArray``.
        names: what whole numbers mean; None = nobody says.
        label: names the split in errors.

    Raises:
        DataError: there are no rows, one has no label, or labels are of a type or in a range that means no class.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(column):
        raise DataError(f"There are no images in {label}.")
    column = plain_labels(column, label)
    if column.null_count:
        raise DataError(f"{column.null_count} of {len(column)} rows have no label in {label}. Remove such rows.")
    if pa.types.is_string(column.type):
        texts = pc.unique(column).to_pylist()
        if names is not None and (strange := sorted(set(texts) - set(names))):
            raise DataError(
                f"The labels of {label} are texts, and {', '.join(map(repr, strange[:8]))} are not among the class "
                f"names that its features state ({', '.join(names[:8])})."
            )
        names = sorted(texts) if names is None else names
        column = pc.index_in(column, value_set=pa.array(names, type=column.type))
    targets = _copy_int64(column)
    _check_range(targets, names, label)
    if names is None and int(targets.max()) >= _MOST:
        raise DataError(
            f"A label of {label} is {int(targets.max()):,}: numbers that large are no class indices, which count from "
            "0. If they are ids, write them as texts."
        )
    if names is None:
        names = [str(index) for index in range(int(targets.max()) + 1)]
    return targets, tuple(names)


def plain_labels(column: Any, label: str) -> Any:
    """The same labels as integers or ``string``: of dictionaries, large texts, text as bytes, whole floats, booleans.

    Raises:
        DataError: they are of a type that means no class, or floats that are not whole.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        return plain_labels(column.cast(kind.value_type), label)
    if types.is_integer(kind) or types.is_string(kind):
        return column
    if types.is_boolean(kind) or types.is_null(kind):
        return column.cast(pa.int64())
    if types.is_floating(kind):
        numbers = column.cast(pa.float64())
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
        fractions = numbers.filter(pc.not_equal(numbers, pc.round(numbers)))
        if len(fractions):
            raise DataError(f"{len(fractions)} labels of {label} are no whole numbers, as {fractions[0]}; {_EXPECTED}.")
        if len(numbers) > numbers.null_count and not pc.max(pc.abs(numbers)).as_py() < _EXACT:
            raise DataError(f"The labels of {label} reach {pc.max(pc.abs(numbers)).as_py():g}; {_EXPECTED}.")
        return numbers.cast(pa.int64())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        raise DataError(
            f"The labels of {label} are lists ({kind}). Each image needs one class; write one number or text for "
            "each row."
        )
    try:  # texts of other types, and bytes
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"The labels of {label} are of type {kind}, {_EXPECTED}: {str(error).splitlines()[0]}"
        ) from error


def holds_texts(column: Any) -> bool:
    """Whether labels are texts, or texts as bytes: names of classes, where whole numbers are their indices."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    types = pa.types
    return not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_null(kind))


def is_unlabelled(column: Any) -> bool:
    """Whether every one of these plain labels is missing: null, -1, or an empty text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count == len(column):
        return True
    return bool(pc.max(column).as_py() == (_NO_LABEL if pa.types.is_integer(column.type) else ""))


def _check_range(targets: Tensor, names: Sequence[str] | None, label: str) -> None:
    lowest, highest = int(targets.min()), int(targets.max())
    if lowest < 0:
        row = int((targets < 0).nonzero()[0])
        raise DataError(f"Row {row} of {label} has the label {int(targets[row])}: it has none. Remove such rows.")
    if names is not None and lowest == 1 and highest == len(names):
        raise _from_one(highest, label)
    if names is not None and highest >= len(names):
        raise DataError(
            f"{int((targets >= len(names)).sum())} rows of {label} have class indices up to {highest}, and its "
            f"features state {len(names)} classes (0..{len(names) - 1})."
        )


def check_from_zero(targets: Tensor, label: str) -> None:
    """Refuses class indices that count their classes from 1.

    Args:
        targets: int64 [N] of the training rows, where nobody states names.
        label: names the split in errors.

    Raises:
        DataError: every class from 1 on has rows, and 0 has none.
    """
    counts = torch.bincount(targets)
    if len(counts) > 2 and not counts[0] and bool((counts[1:] > 0).all()):
        raise _from_one(len(counts) - 1, label)


def _from_one(highest: int, label: str) -> DataError:
    return DataError(
        f"The labels of {label} go from 1 to {highest}: they count its {highest} classes from 1. Class indices count "
        "from 0; subtract 1 from every label, or write the classes' names instead."
    )


def _copy_int64(column: Any) -> Tensor:
    """Copies an integer column chunk by chunk: nothing but the result grows with the rows."""
    values = torch.empty(len(column), dtype=torch.int64)
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    first = 0
    for chunk in chunks:
        values[first : first + len(chunk)] = torch.from_numpy(chunk.to_numpy(zero_copy_only=False).astype("int64"))
        first += len(chunk)
    return values
