"""Coverage-centric selection against the authors' loop, and at the budgets where that loop covers nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.pruning.strata import cover_strata, drop_highest, fair_shares, rotate, strata_of
from rethinkdc.seeds import generator


def ranks(rows: int, seed: int = 0) -> Tensor:
    return torch.randperm(rows, generator=generator(seed))


def papers_loop(sizes: list[int], count: int) -> list[int]:
    """From the least populated stratum: min(size, floor(what remains / strata that remain))."""
    given, remains = [0] * len(sizes), count
    order = sorted(range(len(sizes)), key=lambda index: sizes[index])
    for visited, index in enumerate(order):
        given[index] = min(sizes[index], remains // (len(sizes) - visited))
        remains -= given[index]
    return given


SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=12)


@given(SIZES, st.floats(0, 1))
@settings(deadline=None, max_examples=200)
def test_shares_are_those_of_the_papers_loop(sizes: list[int], share: float) -> None:
    count = int(share * sum(sizes))
    found = fair_shares(torch.tensor(sizes), count, -torch.tensor(sizes)).tolist()
    # Strata of one size may swap what is left over: the loop visits them in whatever order they stand.
    assert sorted(zip(sizes, found, strict=True)) == sorted(zip(sizes, papers_loop(sizes, count), strict=True))


@given(SIZES, st.floats(0, 1), st.integers(0, 5))
@settings(deadline=None, max_examples=100)
def test_shares_are_exact_and_never_more_than_there_is(sizes: list[int], share: float, seed: int) -> None:
    given, count = torch.tensor(sizes), int(share * sum(sizes))
    found = fair_shares(given, count, ranks(len(sizes), seed))
    assert int(found.sum()) == count
    assert bool((found <= given).all())
    assert bool((found >= 0).all())
    unfilled = found[found < given]
    assert not len(unfilled) or int(found.max()) - int(unfilled.min()) <= 1


def test_more_than_the_strata_hold_cannot_be_shared() -> None:
    with pytest.raises(UnsupportedError, match="Cannot pick 7 of 6 rows"):
        fair_shares(torch.tensor([2, 4]), 7, torch.arange(2))


@pytest.mark.parametrize("scores", [[-3.0, -2.0, -1.0], [1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
def test_the_last_stratum_holds_the_highest_score_also_when_it_is_negative(scores: list[float]) -> None:
    """max * 1.0001 lies below a negative maximum: such rows fell into no stratum."""
    assert strata_of(torch.tensor(scores), 2).tolist() == [0, 1, 1]


def test_equal_scores_lie_in_one_stratum_and_infinite_ones_at_the_ends() -> None:
    assert len(strata_of(torch.full((4,), 2.0), 5).unique()) == 1
    assert strata_of(torch.tensor([float("-inf"), 0.0, 1.0, float("inf")]), 4).tolist() == [0, 0, 3, 3]


def test_strata_have_equal_width() -> None:
    assert strata_of(torch.tensor([0.0, 1.9, 2.0, 5.9, 6.0, 10.0]), 5).tolist() == [0, 0, 1, 2, 3, 4]


def test_the_highest_are_dropped_and_unscored_rows_are_not_counted() -> None:
    scores = torch.tensor([5.0, 1.0, float("nan"), 4.0, 2.0, 3.0])
    assert drop_highest(scores, ranks(6), 0.4).tolist() == [1, 4, 5]
    assert drop_highest(scores, ranks(6), 0.0).tolist() == [0, 1, 3, 4, 5]


def test_of_equal_scores_the_lower_rank_is_kept() -> None:
    order = torch.tensor([3, 0, 2, 1])
    assert drop_highest(torch.zeros(4), order, 0.5).tolist() == [1, 3]


def test_the_papers_rule_leaves_rare_strata_out_of_a_small_budget_and_the_rotation_does_not() -> None:
    """95 rows in ten populated strata, 5 rare hard ones: ten rows to pick."""
    scores = torch.cat([torch.linspace(0, 9.99, 95), torch.tensor([20.0, 25.0, 30.0, 40.0, 50.0])])
    paper = cover_strata(scores, 10, 50, ranks(100))
    assert float(scores[paper].max()) < 10
    rare = [
        float(scores[cover_strata(scores, 10, 50, ranks(100, seed), rotate(10, 50, generator(seed)))].max()) > 10
        for seed in range(20)
    ]
    assert all(rare)


def test_a_stratum_gives_its_fair_share_drawn_by_rank() -> None:
    scores = torch.tensor([0.0] * 6 + [1.0] * 2)
    order = torch.tensor([5, 4, 3, 2, 1, 0, 7, 6])
    assert cover_strata(scores, 4, 2, order).tolist() == [5, 4, 7, 6]


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 9), st.booleans())
@settings(deadline=None, max_examples=100)
def test_permuting_the_rows_permutes_the_picks(values: list[float], share: float, seed: int, small: bool) -> None:
    scores = torch.tensor(values)
    count, rows = max(1, int(share * len(values))), len(values)
    order, mixed = ranks(rows, seed), ranks(rows, seed + 1)
    picks = cover_strata(scores, count, 7, order, rotate(count, 7, generator(seed)) if small else None)
    others = cover_strata(scores[mixed], count, 7, order[mixed], rotate(count, 7, generator(seed)) if small else None)
    assert len(picks) == count
    assert len(picks.unique()) == count
    assert mixed[others].tolist() == picks.tolist()


def test_every_row_may_be_picked() -> None:
    assert sorted(cover_strata(torch.rand(9, generator=generator(0)), 9, 50, ranks(9)).tolist()) == list(range(9))
