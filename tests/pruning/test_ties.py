"""Ties that no rounding may break."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.pruning.classwise import Choice
from rethinkdc.pruning.ties import ascending, by_rank, descending, first_largest, largest, settled
from rethinkdc.seeds import generator


def test_numbers_that_differ_in_their_last_bits_are_equal_and_others_are_not() -> None:
    values = torch.tensor([0.1 + 0.2, 0.3, 0.3 + 1e-9], dtype=torch.float64)
    assert values[0] != values[1]
    first, second, third = settled(values).tolist()
    assert first == second < third


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1.0, 1e9, 1e200])
def test_the_step_follows_the_scale(scale: float) -> None:
    values = torch.tensor([1.0, 1.0 + 1e-14, 1.0 + 1e-10, -1.0], dtype=torch.float64) * scale
    assert ascending(values).tolist() == [3, 0, 1, 2]
    assert descending(values).tolist() == [2, 0, 1, 3]
    assert first_largest(values[:2]) == 0


def test_terms_that_cancelled_leave_nothing_but_ties() -> None:
    assert descending(torch.tensor([0.0, 1e-15, -1e-15]), scale=1.0).tolist() == [0, 1, 2]


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20))
def test_whole_numbers_and_halves_stay_what_they_are(values: list[int]) -> None:
    halves = torch.tensor(values, dtype=torch.float64) / 2
    assert torch.equal(settled(halves), halves)
    assert torch.equal(settled(halves + 1e-13, scale=1000), halves)


def test_infinities_and_nothing_at_all_are_ordered_too() -> None:
    assert ascending(torch.tensor([math.inf, 1.0, -math.inf, 1.0])).tolist() == [2, 1, 3, 0]
    assert ascending(torch.tensor([math.inf, -math.inf])).tolist() == [1, 0]
    assert ascending(torch.zeros(0)).tolist() == []


@given(st.permutations(range(8)), st.integers(0, 100))
def test_a_method_gets_its_rows_in_the_order_of_their_ranks(rows: list[int], seed: int) -> None:
    ranks, seen = torch.randperm(8, generator=generator(seed)), []

    def choose(given: torch.Tensor, count: int) -> Choice:
        seen.extend(given.tolist())
        return Choice(torch.arange(count), torch.arange(count))

    here = torch.tensor(rows)[:6]
    found = by_rank(ranks, choose)(here, 3)
    assert ranks[seen].tolist() == sorted(ranks[here].tolist())
    assert here[found.picks].tolist() == seen[:3]
    assert found.weights is not None


@given(st.floats(0.5, 1.0), st.integers(-3, 3))
def test_equals_are_equal_wherever_they_lie(value: float, bits: int) -> None:
    """On a grid, two numbers that differ in their last bit may lie on either side of an edge."""
    one = torch.tensor(value, dtype=torch.float64)
    values = torch.stack([one * (1 + bits * 2.0**-52), one, one - 1e-9])
    assert largest(values, scale=1.0).tolist() == [True, True, False]
    assert first_largest(values.flip(0), scale=1.0) == 1


def test_the_edge_of_a_grid_is_no_edge_between_equals() -> None:
    edge = 0.75 + 2.0**-41
    values = torch.tensor([edge - 2.0**-53, edge + 2.0**-53], dtype=torch.float64)
    assert first_largest(values, scale=0.75) == 0
