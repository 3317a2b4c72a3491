"""What was read from a file of rows or scores, and the checks that say whether its rows are ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.row_files.named_column import Named
from rethinkdc.types import Images

UNPROVED = "not verified"


@dataclass(frozen=True)
class Reading:
    """What a file was taken for.

    Attributes:
        file: its name, without its folder.
        taken: what each column was taken for, one sentence's part each.
        order: what says that its rows are numbered as the training set's; ``not verified`` where nothing does.
        warnings: what makes it doubtful that the file is what it was taken for.
    """

    file: str
    taken: tuple[str, ...]
    order: str = UNPROVED
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The same as JSON data, for records."""
        return {"file": self.file, "taken": list(self.taken), "order": self.order, "warnings": list(self.warnings)}


@dataclass(frozen=True)
class ReadScores:
    """Scores float32 [N] in the rows' order, and what they were read from."""

    scores: Tensor
    reading: Reading


@dataclass(frozen=True)
class ReadRows:
    """Rows int64 [k] in pick order, their weights float32 [k] where there are some, and what they were read from."""

    rows: Tensor
    weights: Tensor | None
    reading: Reading


def check_labels(column: Named, rows: Tensor, data: Images) -> str:
    """Compares a column of labels with those of the training set; returns what this proves of the order of rows.

    Args:
        column: class indices, or names of classes.
        rows: int64 [n], the training row of each entry.
        data: the training set.

    Raises:
        DataError: they contradict each other; counts the entries, and names the likely cause.
    """
    found, wanted = _class_indices(column, data), data.targets[rows]
    wrong = int((found != wanted).sum())
    if wrong and _agrees_by_name(found, wanted, data.class_names):
        wrong = 0
    if wrong:
        raise DataError(
            f"{column.title} contradicts the labels of the training set in {wrong:,} of {len(rows):,} entries. "
            f"{_likely_cause(found, wanted)}"
        )
    within = "" if labels_prove_order(data) else "; not verified within a class, since the rows are sorted by class"
    return f"the labels in {column.title} agree in all {len(rows):,} entries{within}"


def labels_prove_order(data: Images) -> bool:
    """Whether labels that agree say that rows are ours: of rows sorted by class, they say nothing within a class."""
    runs = 1 + int((data.targets[1:] != data.targets[:-1]).sum())
    return runs > 2 * len(data.class_names) or len(data) <= runs


def check_numbers(column: Named, rows: int, *, each: bool) -> Tensor:
    """The row numbers of a column: int64 [n].

    Args:
        column: what should hold them.
        rows: number of training rows.
        each: whether every row must be there.

    Raises:
        DataError: no whole numbers, rows that do not exist, or repeats; names the likely cause.
    """
    values, whole = column.numbers, column.whole
    if whole is None:
        missing = int(values.isnan().sum()) if values.is_floating_point() else 0
        told = f"{missing:,} of them are no number" if missing else f"found {_example(values)}"
        raise DataError(f"{column.title} must list whole row numbers; {told}")
    if len(whole) and (int(whole.min()) < 0 or int(whole.max()) >= rows):
        raise DataError(
            f"{column.title} lists rows {int(whole.min())} to {int(whole.max())}; rows are 0 to {rows - 1}"
            f"{_explain_range(whole, rows)}"
        )
    kinds, counts = torch.unique(whole, return_counts=True)
    if len(kinds) != len(whole):
        first = int(kinds[counts > 1][0])
        raise DataError(
            f"{column.title} lists {len(whole) - len(kinds):,} rows more than once, for example row {first}"
        )
    if each and len(whole) != rows:
        raise DataError(f"{column.title} must name each row 0 to {rows - 1} once; it names {len(whole):,}")
    return whole


def _explain_range(whole: Tensor, rows: int) -> str:
    low, high = int(whole.min()), int(whole.max())
    if low >= 1 and high == rows:
        return ". It counts from 1: subtract 1 from each"
    if low < 0 and high < 0 and low >= -rows:
        return f". It counts from the end: add {rows} to each"
    return ". It may belong to another dataset or split"


def _example(values: Tensor) -> str:
    if values.dtype == torch.bool:
        return "true and false"
    odd = values[values != values.round()]
    return f"{float(odd[0]):g}" if len(odd) else f"{float(values.abs().max()):g}"


def _class_indices(column: Named, data: Images) -> Tensor:
    if isinstance(column.values, Tensor):
        whole = column.whole
        if whole is None:
            raise DataError(f"{column.title} must hold class indices or class names; found {_example(column.numbers)}")
        return whole
    places = {name: index for index, name in enumerate(data.class_names)}
    unknown = sorted({text for text in column.values if text not in places})
    if unknown:
        known = ", ".join(data.class_names[:8]) + (", ..." if len(places) > 8 else "")
        raise DataError(f"{column.title} names {unknown[0]!r}, which is no class of the training set. Known: {known}")
    return torch.tensor([places[text] for text in column.values])


def _agrees_by_name(numbers: Tensor, wanted: Tensor, class_names: Sequence[str]) -> bool:
    """Whether each number is the name of the class, where all names are numbers that are no places: 1, 10, 2."""
    if not all(name.isdecimal() for name in class_names):
        return False
    return torch.equal(torch.tensor([int(name) for name in class_names])[wanted], numbers)


def _likely_cause(found: Tensor, wanted: Tensor) -> str:
    if torch.equal(found - 1, wanted):
        return "Its classes count from 1: subtract 1 from each."
    pairs = torch.unique(torch.stack([found, wanted]), dim=1)
    if pairs.shape[1] == len(torch.unique(pairs[0])) == len(torch.unique(pairs[1])):
        return "Its classes are in another order, always the same: give the class names, or leave the column out."
    if torch.equal(found.sort().values, wanted.sort().values):
        return "Its rows are in another order: name that with order=, or bring them to the training set's."
    return "Its rows are in another order, or of another dataset or split."
