"""One class at a time, or all rows together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.pruning.classwise import Choice, choose_rows
from rethinkdc.types import Budget

TARGETS = torch.tensor([1, 0, 1, 0, 1])


def last(rows: Tensor, count: int) -> Choice:
    return Choice(torch.arange(len(rows)).flip(0)[:count], torch.full((count,), float(len(rows))))


def test_a_class_is_given_its_own_rows_and_gets_its_share() -> None:
    picks, weights = choose_rows(TARGETS, Budget(ipc=2, classes=2, size=8), balanced=True, choose=last)
    assert picks.tolist() == [3, 1, 4, 2]
    assert weights is not None
    assert weights.tolist() == [2.0, 2.0, 3.0, 3.0]


def test_all_rows_are_chosen_from_at_once_without_balance() -> None:
    picks, _ = choose_rows(TARGETS, Budget(ipc=2, classes=2, size=8), balanced=False, choose=last)
    assert picks.tolist() == [4, 3, 2, 1]


@pytest.mark.parametrize(("balanced", "message"), [(True, "3 of 2 rows"), (False, "6 of 5 rows")])
def test_more_rows_than_there_are_cannot_be_picked(balanced: bool, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        choose_rows(TARGETS, Budget(ipc=3, classes=2, size=8), balanced=balanced, choose=last)
