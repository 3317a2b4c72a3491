"""Picking rows by a score."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.pruning import pick, random_rows
from rethinkdc.seeds import generator
from rethinkdc.types import Direction

DIRECTIONS: tuple[Direction, ...] = ("easy", "hard", "middle")
INF = math.inf


def brute_force(scores: list[float], direction: str, count: int) -> list[float]:
    """The scores that have to be kept, whichever of the equal ones are."""
    ordered = sorted(scores)
    start = {"easy": 0, "hard": len(ordered) - count, "middle": (len(ordered) - count) // 2}[direction]
    return ordered[start : start + count]


def few_values(count: int, seed: int) -> Tensor:
    """Scores with many ties, and infinities."""
    values = torch.tensor([-INF, 0.0, 0.25, 0.5, 1.0, INF])
    return values[torch.randint(0, 6, (count,), generator=generator(seed))]


@given(st.integers(0, 10_000), st.sampled_from(DIRECTIONS), st.integers(1, 4), st.booleans())
def test_picks_equal_those_of_a_plain_sort(seed: int, direction: Direction, per_class: int, balanced: bool) -> None:
    scores, targets = few_values(24, seed), torch.arange(24) % 3
    targets = targets[torch.randperm(24, generator=generator(seed + 1))]
    found = pick(scores, targets, per_class, 3, direction, balanced, generator(seed))
    assert len(set(found.rows.tolist())) == 3 * per_class
    groups = [(targets == index).nonzero().flatten() for index in range(3)] if balanced else [torch.arange(24)]
    ties = 0
    for index, (group, rows) in enumerate(zip(groups, found.rows.chunk(len(groups)), strict=True)):
        if balanced:
            assert set(targets[rows].tolist()) == {index}
        wanted = brute_force(scores[group].tolist(), direction, len(rows))
        kept = scores[rows].tolist()
        assert kept == (wanted[::-1] if direction == "hard" else wanted)
        outside = [float(scores[row]) for row in group.tolist() if row not in rows.tolist()]
        ties += sum(score in (wanted[0], wanted[-1]) for score in outside)
    assert found.ties == ties


@given(st.permutations(range(12)), st.sampled_from(DIRECTIONS), st.booleans())
def test_without_ties_the_picked_images_do_not_depend_on_the_order_of_the_rows(
    order: list[int], direction: Direction, balanced: bool
) -> None:
    scores, targets = torch.arange(12).float().sin(), torch.arange(12) % 2
    moved = torch.tensor(order)
    here = pick(scores, targets, 2, 2, direction, balanced, generator(0)).rows
    there = pick(scores[moved], targets[moved], 2, 2, direction, balanced, generator(1)).rows
    assert moved[there].tolist() == here.tolist()


def test_by_hand() -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.5, 0.7, 0.2])
    targets = torch.tensor([0, 0, 0, 1, 1, 1])
    found = {d: pick(scores, targets, 1, 2, d, True, generator(0)).rows.tolist() for d in DIRECTIONS}
    assert found == {"easy": [2, 5], "hard": [1, 4], "middle": [0, 3]}
    found = {d: pick(scores, targets, 1, 2, d, False, generator(0)).rows.tolist() for d in DIRECTIONS}
    assert found == {"easy": [2, 5], "hard": [1, 4], "middle": [0, 3]}


def test_one_global_ranking_may_take_all_from_one_class() -> None:
    scores, targets = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([1, 1, 0, 0])
    assert pick(scores, targets, 1, 2, "easy", False, generator(0)).rows.tolist() == [0, 1]
    assert pick(scores, targets, 1, 2, "easy", True, generator(0)).rows.tolist() == [2, 0]


def test_ties_are_broken_by_the_seed_and_evenly() -> None:
    scores, targets = torch.zeros(10), torch.zeros(10, dtype=torch.int64)
    picks = [pick(scores, targets, 2, 1, "hard", True, generator(seed)) for seed in range(300)]
    assert torch.equal(picks[4].rows, pick(scores, targets, 2, 1, "hard", True, generator(4)).rows)
    assert {one.ties for one in picks} == {8}
    counts = torch.bincount(torch.cat([one.rows for one in picks]), minlength=10)
    # 600 draws of 10 rows: 60 each, with a standard deviation of about 7.
    assert int(counts.min()) > 30
    assert int(counts.max()) < 95


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    pick(torch.zeros(5), torch.zeros(5, dtype=torch.int64), 2, 1, "easy", True, generator(0))
    random_rows(torch.zeros(5, dtype=torch.int64), 2, 1, generator(0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("balanced", [True, False])
def test_more_rows_than_there_are_cannot_be_picked(balanced: bool) -> None:
    with pytest.raises(UnsupportedError, match="Cannot pick"):
        pick(torch.zeros(4), torch.tensor([0, 0, 0, 1]), 3, 2, "easy", balanced, generator(0))


def test_random_rows_are_balanced_without_repeats_and_uniform() -> None:
    targets = torch.tensor([0] * 4 + [1] * 8)
    draws = [random_rows(targets, 2, 2, generator(seed)) for seed in range(400)]
    for rows in draws:
        assert targets[rows].tolist() == [0, 0, 1, 1]
        assert len(set(rows.tolist())) == 4
    counts = torch.bincount(torch.cat(draws), minlength=12)
    # Each of 4 rows of class 0: 200 of 400 draws, standard deviation 10; each of 8 of class 1: 100, about 9.
    assert bool(((counts[:4] - 200).abs() < 50).all())
    assert bool(((counts[4:] - 100).abs() < 45).all())


def test_random_rows_never_change() -> None:
    """Pinned: another draw here means that the random baseline of every record is another one."""
    targets = torch.arange(12) % 3
    assert random_rows(targets, 2, 3, generator(0)).tolist() == [3, 6, 4, 10, 2, 11]


def test_a_window_drops_an_end_of_each_class_before_it_picks() -> None:
    scores, targets = torch.arange(20.0), torch.arange(20) // 10
    drawn = {"drop_hardest": 0.3, "drop_easiest": 0.2}
    hard = pick(scores, targets, 2, 2, "hard", True, generator(0), **drawn)
    easy = pick(scores, targets, 2, 2, "easy", True, generator(0), **drawn)
    assert hard.rows.tolist() == [6, 5, 16, 15]
    assert easy.rows.tolist() == [2, 3, 12, 13]
    assert pick(scores, targets, 1, 2, "hard", False, generator(0), drop_hardest=0.5).rows.tolist() == [9, 8]


def test_a_window_that_leaves_too_few_rows_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Cannot pick 4 of 3 rows that are scored and not dropped"):
        pick(torch.arange(10.0), torch.zeros(10, dtype=torch.int64), 4, 1, "easy", True, generator(0), drop_hardest=0.7)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_rows_that_were_not_scored_are_never_picked(direction: Direction) -> None:
    scores = torch.tensor([float("nan"), 1.0, float("nan"), 2.0, 3.0, 0.0])
    targets = torch.tensor([0, 0, 0, 0, 1, 1])
    assert set(pick(scores, targets, 2, 2, direction, True, generator(0)).rows.tolist()) == {1, 3, 4, 5}
    with pytest.raises(UnsupportedError, match="Cannot pick 3 of 2"):
        pick(scores, targets, 3, 2, direction, True, generator(0))
