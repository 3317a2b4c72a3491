"""Which column of a file lists the rows of a subset, and what every other one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.row_files.named_column import (
    LABEL_NAMES,
    LEFT_OUT_WORDS,
    RANK_NAMES,
    ROW_NAMES,
    SCORE_NAMES,
    WEIGHT_NAMES,
    Named,
    find,
)
from rethinkdc.row_files.numbering import choose_numbering, find_numbering, refuse_other_order
from rethinkdc.row_files.reading import check_numbers


@dataclass(frozen=True)
class RowColumns:
    """The parts of a file of rows.

    Attributes:
        rows: the column of row numbers, or the mask.
        masked: whether it is a mask: true for each row that is kept.
        numbering: of a mask: the column that numbers its lines; None = they are in the rows' order.
        weights: the column of weights.
        labels: columns of labels.
        unused: columns that do no harm: they count lines, or hold scores.
        left_out: columns that nobody uses, since the user named another.
    """

    rows: Named
    masked: bool
    numbering: Named | None
    weights: Named | None
    labels: tuple[Named, ...]
    unused: tuple[Named, ...]
    left_out: tuple[Named, ...]

    def taken(self, count: int, order: str | None) -> list[str]:
        """What each column was taken for.

        Args:
            count: rows that are listed.
            order: that of the rows that the file speaks of; None = the training set's.
        """
        of = "" if order is None else f" in the order {order}"
        what = f"a mask that keeps {count:,} of {len(self.rows):,} rows" if self.masked else f"{count:,} row numbers"
        return [
            f"{self.rows.title}: {what}{of}",
            *([f"{self.numbering.title}: row numbers of the mask"] if self.numbering else []),
            *([f"{self.weights.title}: weights"] if self.weights else []),
            *(f"{column.title}: labels" for column in self.labels),
            *(f"{column.title}: not used" for column in self.unused),
            *(f"{column.title}: left out" for column in self.left_out),
        ]


def tell_rows(columns: Sequence[Named], chosen: str | None, rows: int, classes: int) -> RowColumns:
    """Gives every column its meaning.

    Args:
        columns: of the file.
        chosen: the name of the column of rows; None = to be found.
        rows: number of training rows.
        classes: of the training set.

    Raises:
        DataError: it is not clear which column lists the rows, or a column has no meaning.
    """
    if len(columns) > 1 and all(not column.name for column in columns):
        _refuse_nameless(columns, classes)
    others = list(columns)
    labels = [c for c in others if c.key in LABEL_NAMES and c.name != chosen]
    weights = [c for c in others if c.key in WEIGHT_NAMES and c.name != chosen]
    if len(weights) > 1:
        raise DataError(f"{weights[0].title} and {weights[1].title} are both weights: leave one out")
    others = [c for c in others if c not in labels and c not in weights]
    given = find(columns, chosen) if chosen is not None else None
    dropped = [c for c in others if _lists_left_out(c)]
    others = [c for c in others if c not in dropped]
    listed = (
        given or _mask(others, rows) or (None if dropped and not others else _listed(others, columns, rows, classes))
    )
    masked = listed is not None and len(listed) == rows > 2 and listed.is_mask
    if not all(listed and not masked and _is_apart(c, listed) for c in dropped) or listed is None:
        raise DataError(
            f"{dropped[0].title} seems to say which rows are left out. Write those that are kept, in a column named "
            "row or keep"
        )
    others = [c for c in others if c is not listed]
    numbering, counters = _number_mask(others, rows) if masked else (None, [])
    others = [c for c in others if c is not numbering and c not in counters]
    unused = [*counters, *dropped, *(c for c in others if _is_harmless(c, listed))]
    others = [c for c in others if c not in unused]
    if masked and numbering is None:
        refuse_other_order(others, rows)
    if others and chosen is None:
        raise DataError(
            f"{others[0].title} has no meaning in a list of rows: name the column of rows with "
            f"column={listed.name or 'NAME'} to leave out what is not used"
        )
    return RowColumns(
        listed, masked, numbering, weights[0] if weights else None, tuple(labels), tuple(unused), tuple(others)
    )


def rows_of(told: RowColumns, rows: int) -> tuple[Tensor, Tensor]:
    """The rows that are listed, int64 [k] in pick order, and the place of each in the other columns, int64 [k].

    Raises:
        DataError: no whole numbers, no row at all, rows that do not exist, repeats, or a mask of another length.
    """
    if _is_bool(told.rows) and len(told.rows) != rows:
        raise DataError(f"{told.rows.title} is a mask of {len(told.rows):,} rows; the training set has {rows:,}")
    places = told.rows.numbers.nonzero().flatten() if told.masked else torch.arange(len(told.rows))
    if not len(places):
        raise DataError(f"{told.rows.title} lists no rows")
    if not told.masked:
        return check_numbers(told.rows, rows, each=False), places
    numbers = torch.arange(rows) if told.numbering is None else check_numbers(told.numbering, rows, each=True)
    return numbers[places], places


def _refuse_nameless(columns: Sequence[Named], classes: int) -> None:
    lines, width = len(columns[0]), len(columns)
    if classes in (lines, width):
        raise DataError(
            f"it holds {lines} lines of {width} numbers, and there are {classes} classes: if it lists the rows class "
            "by class, write one row number on each line"
        )
    raise DataError(
        f"it has {width} columns without names, and which of them lists the rows is not clear. Write a line of names "
        "above them, such as row,weight, or keep one column"
    )


def _lists_left_out(column: Named) -> bool:
    """Whether its name says that it lists what is left out; a mask may be of either."""
    return column.key != "mask" and bool(set(column.key.split("_")) & LEFT_OUT_WORDS)


def _is_apart(column: Named, listed: Named) -> bool:
    """Whether it is a list too, and none of its rows is listed as kept."""
    ours, theirs = listed.whole, column.whole
    return ours is not None and theirs is not None and not column.is_mask and not bool(torch.isin(theirs, ours).any())


def _number_mask(columns: Sequence[Named], rows: int) -> tuple[Named | None, list[Named]]:
    """The column that numbers the lines of a mask, and those that only count them."""
    return choose_numbering(find_numbering([c for c in columns if not _is_score(c)], rows), rows)


def _is_bool(column: Named) -> bool:
    return isinstance(column.values, Tensor) and column.values.dtype == torch.bool


def _mask(columns: Sequence[Named], rows: int) -> Named | None:
    """The one column of true and false; whole numbers count as such where each row has one."""
    masks = [
        c
        for c in columns
        if c.is_mask and ((len(c) == rows > 2) or (isinstance(c.values, Tensor) and c.values.dtype == torch.bool))
    ]
    if len(masks) > 1:
        raise DataError(f"{masks[0].title} and {masks[1].title} are both masks: name one with column=NAME")
    return masks[0] if masks else None


def _listed(others: Sequence[Named], columns: Sequence[Named], rows: int, classes: int) -> Named:
    if len(columns) == 1 and others and not _is_score(others[0]):
        return others[0]
    named = [c for c in others if c.key in ROW_NAMES]
    telling = [c for c in named if not c.is_counter]
    if not telling:
        # A column beside one that only counts the lines.
        telling = [c for c in others if c not in named and not _is_score(c) and _lists(c, rows)]
    if not telling and named and (named[0].name or len(others) == 1):
        telling = named[:1]
    whole = [c.whole for c in telling]
    same = all(w is not None and whole[0] is not None and torch.equal(w, whole[0]) for w in whole[1:])
    if telling and (len(telling) == 1 or same):
        return telling[0]
    shown = telling or list(columns)
    names = ", ".join(c.title for c in shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
    if len(telling) == classes and not named:
        raise DataError(
            f"it has a list for each of {classes} classes ({names}): join them into one list of row numbers"
        )
    if telling:
        raise DataError(f"which column lists the rows is not clear: {names}. Name it with column=NAME")
    raise DataError(f"it has no column of row numbers, such as 'row'; it has {names}. Name it with column=NAME")


def _lists(column: Named, rows: int) -> bool:
    whole = column.whole
    if whole is None or column.key in RANK_NAMES or not len(whole):
        return False
    return int(whole.min()) >= 0 and int(whole.max()) < rows and len(torch.unique(whole)) == len(whole)


def _is_score(column: Named) -> bool:
    return column.key in SCORE_NAMES or column.key in RANK_NAMES


def _is_harmless(column: Named, listed: Named) -> bool:
    """Whether a column only counts lines, holds the scores that rows were picked by, or says the rows again."""
    if _is_score(column) or column.is_counter:
        return True
    ours, theirs = listed.whole, column.whole
    return column.key in ROW_NAMES and ours is not None and theirs is not None and torch.equal(ours, theirs)
