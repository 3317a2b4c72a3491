"""Rows by class."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.data import rows_by_class
from rethinkdc.seeds import generator


@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 1000))
def test_they_are_what_a_comparison_with_each_class_finds(rows: int, classes: int, seed: int) -> None:
    targets = torch.randint(0, classes + 1, (rows,), generator=generator(seed))
    shuffled = torch.randperm(rows, generator=generator(seed))
    some = shuffled[: rows // 2]
    for order in (None, shuffled, some):
        found = rows_by_class(targets, classes, order)
        listed = torch.arange(rows) if order is None else order
        assert [own.tolist() for own in found] == [
            listed[targets[listed] == index].tolist() for index in range(classes)
        ]


def test_a_class_without_rows_has_none() -> None:
    assert [rows.tolist() for rows in rows_by_class(torch.tensor([2, 0]), 4)] == [[1], [], [0], []]
    assert [rows.tolist() for rows in rows_by_class(torch.empty(0, dtype=torch.int64), 2)] == [[], []]
