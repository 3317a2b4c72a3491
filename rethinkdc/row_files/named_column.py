"""A column of a file of rows or scores: what its name says, and what its values can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.files.tables import Column, first_text, is_ambiguous

ROW_NAMES = frozenset(
    f"{what}{name}"
    for what in ("", "sample_", "image_", "img_", "example_", "data_", "row_", "train_", "selected_", "orig_")
    for name in ("row", "rows", "index", "indices", "indexes", "idx", "idxs", "inds", "id", "ids")
) | {"", "unnamed: 0", "level_0", "row_number", "number", "idx_selected", "selected_idx", "coreset"}
"""Names of columns that hold row numbers, in lower case; the nameless one is pandas' index."""

LABEL_NAMES = frozenset(
    {"label", "labels", "target", "targets", "class", "classes", "class_id", "class_index", "class_idx", "class_name"}
    | {"fine_label", "fine_labels", "y", "true_label", "category", "cls", "gt", "ground_truth"}
    | {"class_label", "label_id", "label_name", "classname"}
)
SCORE_NAMES = frozenset({"score", "scores"})
WEIGHT_NAMES = frozenset({"weight", "weights"})
LEFT_OUT_WORDS = frozenset(
    {"removed", "remove", "pruned", "prune", "excluded", "exclude", "deleted", "delete", "discarded", "discard"}
    | {"dropped", "drop", "rejected", "reject", "forgotten", "unselected", "unused", "masked", "not"}
)
"""Words in names of columns that list what is left out rather than what is kept."""
RANK_NAMES = frozenset({"rank", "ranking", "ranks", "position", "order"})
LONE = "its numbers"
"""How messages call the only column of a file that names none."""


@dataclass(frozen=True, eq=False)
class Named:
    """A column and how messages call it; equal only to itself.

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
        """The name in one spelling, without the mapping that it lies in: ``subset.indices`` is ``indices``."""
        if self.name.lower() == "unnamed: 0":
            return ""
        return self.name.strip().lower().replace("-", "_").replace(" ", "_").rpartition(".")[2]

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
        more = ", where the comma may part thousands or be the decimal point" if is_ambiguous(text) else ""
        raise DataError(f"{self.title} must hold numbers; entry {place + 1} is {text!r}{more}")

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


def title_of(name: str) -> str:
    """How messages call a column of this name."""
    return f"column {name!r}" if name else "the nameless column"
