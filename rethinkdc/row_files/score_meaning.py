"""Which column of a file holds the scores, and what every other one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.row_files.named_column import LABEL_NAMES, LONE, RANK_NAMES, ROW_NAMES, SCORE_NAMES, Named, find
from rethinkdc.row_files.numbering import choose_numbering, find_numbering, refuse_other_order


@dataclass(frozen=True)
class ScoreColumns:
    """The parts of a file of scores.

    Attributes:
        scores: the column of scores.
        rows: the column of row numbers; None = the lines are in the rows' order.
        labels: columns of labels.
        counters: columns that only count lines or rank the scores.
        left_out: columns that nobody uses, since the user named another.
    """

    scores: Named
    rows: Named | None
    labels: tuple[Named, ...]
    counters: tuple[Named, ...]
    left_out: tuple[Named, ...]

    def taken(self, order: str | None) -> list[str]:
        """What each column was taken for; ``order``: that of the rows that the file speaks of."""
        lines = "line order" if self.rows is None else self.rows.title
        return [
            f"{self.scores.title}: scores",
            f"{lines}: row numbers{'' if order is None else f' in the order {order}'}",
            *(f"{column.title}: labels" for column in self.labels),
            *(f"{column.title}: counts or ranks the lines, not used" for column in self.counters),
            *(f"{column.title}: left out" for column in self.left_out),
        ]


def tell_scores(columns: Sequence[Named], chosen: str | None, rows: int, targets: Tensor) -> ScoreColumns:
    """Gives every column its meaning.

    Args:
        columns: of the file.
        chosen: the name of the column of scores; None = to be found.
        rows: number of training rows.
        targets: int64 [N], their classes: a column of exactly these is one of labels, whatever its name.

    Raises:
        DataError: it is not clear which column holds the scores or the row numbers, or a column has no meaning.
    """
    others = list(columns)
    given = find(columns, chosen) if chosen is not None else _named_score(columns)
    if given is not None:
        others.remove(given)
    labels = [c for c in others if c.key in LABEL_NAMES or (len(columns) > 1 and _equals(c, targets))]
    others = [c for c in others if c not in labels]
    numbering = find_numbering(others, rows) if len(columns) > 1 else []
    others = [c for c in others if c not in numbering]
    scores = given or _only(others, columns, [*labels, *numbering])
    others = [c for c in others if c is not scores]
    ranks = [c for c in [*others, *numbering] if c.key in RANK_NAMES and _ranks(c, scores)]
    # What is called a rank and ranks something else is no row number either.
    others = [c for c in [*others, *(c for c in numbering if c.key in RANK_NAMES)] if c not in ranks]
    numbering = [c for c in numbering if c.key not in RANK_NAMES]
    row, counters = choose_numbering(numbering, rows)
    if row is not None and _sorts(row, scores):
        raise DataError(
            f"{row.title} lists the rows in the order of {scores.title}: row numbers, or what argsort gave where the "
            "lines are in the rows' order? Leave it out where it is that, or name it row and sort the lines by it"
        )
    # R numbers lines from 1, in a column without a name.
    counters += [c for c in others if not c.name and len(columns) > 1 and c.title != LONE and c.is_counter]
    others = [c for c in others if c not in counters]
    if bad := [c for c in others if c.key in ROW_NAMES - {""} and isinstance(c.values, Tensor) and len(c) == rows]:
        raise DataError(
            f"{bad[0].title} should number the rows 0 to {rows - 1}, each once; it does not. Mend it, or leave it out "
            "where the lines are in the rows' order"
        )
    if row is None:
        refuse_other_order(others, rows)
    if others and chosen is None:
        raise DataError(
            f"{others[0].title} has no meaning here: name the column of scores with column={scores.name or 'NAME'} to "
            "leave out what is not used"
        )
    return ScoreColumns(scores, row, tuple(labels), (*counters, *ranks), tuple(others))


def doubts(scores: Tensor, stored: Tensor) -> list[str]:
    """What makes it doubtful that these are scores: each with the likely cause.

    Args:
        scores: float32 [N], in the rows' order.
        stored: the same as the file holds them, before they were rounded to float32.
    """
    found: list[str] = []
    count = len(scores)
    if count < 3:
        return found
    kinds = len(torch.unique(stored))
    lost = kinds - len(torch.unique(scores))
    if torch.equal(stored.double().sort().values, torch.arange(count, dtype=torch.float64)):
        found.append(
            f"the scores are a permutation of 0..{count - 1}: an index list or ranks rather than scores. A list of "
            "rows is used with rows:path=FILE"
        )
    elif kinds > 2 and (bool((scores.diff() >= 0).all()) or bool((scores.diff() <= 0).all())):
        found.append(
            "the scores are sorted in the rows' order: probably sorted before they were saved, so that it is lost "
            "which row each belongs to"
        )
    if kinds <= 2:
        found.append(f"the scores have {kinds} different values: a mask or labels rather than scores")
    if endless := int(scores.isinf().sum()):
        found.append(f"{endless:,} of {count:,} scores are infinite")
    if lost > 0.01 * kinds:
        found.append(f"{lost:,} of {kinds:,} different scores are equal as float32, which ranks see")
    return found


def _named_score(columns: Sequence[Named]) -> Named | None:
    named = [c for c in columns if c.key in SCORE_NAMES]
    return named[0] if len(named) == 1 else None


def _equals(column: Named, targets: Tensor) -> bool:
    whole = column.whole
    return whole is not None and torch.equal(whole, targets)


def _ranks(column: Named, scores: Named) -> bool:
    """Whether a column ranks the scores: the rank of each from 0 or 1, or the rows in the scores' order."""
    whole, values = column.whole, scores.values
    if whole is None or not isinstance(values, Tensor) or len(column) != len(values):
        return False
    return _is_monotone(values[whole.argsort()]) or _sorts(column, scores)


def _sorts(column: Named, scores: Named) -> bool:
    """Whether it lists the rows in the order of scores that stand in another: what ``argsort`` gives."""
    values = scores.values
    if not isinstance(values, Tensor) or not column.counts_to(len(values)):
        return False
    return _is_monotone(values[column.whole]) and not _is_monotone(values)


def _is_monotone(values: Tensor) -> bool:
    steps = values.double().diff()
    return bool((steps >= 0).all()) or bool((steps <= 0).all())


def _only(others: Sequence[Named], columns: Sequence[Named], known: Sequence[Named]) -> Named:
    if len(columns) == 1 and (not columns[0].key or columns[0].key not in ROW_NAMES | LABEL_NAMES):
        return columns[0]
    if len(others) == 1:
        return others[0]
    names = ", ".join(c.title for c in others) or "no other"
    hint = "say which holds the scores with column=NAME" if any(c.name for c in others) else "write names above them"
    beside = f" beside {', '.join(c.title for c in known)}" if known else ""
    raise DataError(f"it has {len(others) or 'no'} columns that may be the scores ({names}){beside}; {hint}")
