"""The maths of training dynamics against loops over rows, epochs and windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning import curves as dynamics
from rethinkdc.pruning.curves import (
    epoch_mean,
    forgetting_events,
    largest_probability,
    spread,
    spread_of_the_uncertain,
    weighted_changes,
    windowed_mean,
)
from rethinkdc.seeds import generator


def numbers(epochs: int, rows: int, seed: int = 0) -> Tensor:
    return torch.rand((epochs, rows), generator=generator(seed))


def test_a_mean_is_over_epochs() -> None:
    assert epoch_mean(torch.tensor([[1.0, 0.0], [2.0, 0.0], [6.0, 3.0]])).tolist() == [3.0, 1.0]


@pytest.mark.parametrize(
    ("visits", "events"),
    [
        ("1111", 0),  # learned at once, never forgotten
        ("0101", 1),  # forgotten at the third visit
        ("1010", 2),
        ("0001", 0),  # learned late is not forgotten
        ("1000", 1),  # wrong stays wrong: one event
    ],
)
def test_a_row_is_forgotten_when_right_at_one_visit_and_wrong_at_the_next(visits: str, events: int) -> None:
    correct = torch.tensor([[float(visit)] for visit in visits])
    assert forgetting_events(correct, never_learned=99.0).tolist() == [events]


@pytest.mark.parametrize("never", [0.0, 5.0, float("inf")])
def test_a_row_that_was_never_right_gets_what_is_asked_for_and_no_other_row_does(never: float) -> None:
    correct = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert forgetting_events(correct, never).tolist() == [never, 2.0]


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_forgetting_equals_a_loop_over_visits(visits: list[list[bool]]) -> None:
    correct = torch.tensor(visits, dtype=torch.float32)
    wanted = []
    for row in range(3):
        seen = [visit[row] for visit in visits]
        count = sum(1 for before, now in itertools.pairwise(seen) if before and not now)
        wanted.append(float(count) if any(seen) else len(seen) + 1.0)
    assert forgetting_events(correct, len(visits) + 1.0).tolist() == wanted


def test_the_largest_probability_is_the_true_class_where_it_is_predicted_and_the_rival_elsewhere() -> None:
    p, margin = torch.tensor([0.7, 0.1]), torch.tensor([0.7 - 0.2, 0.1 - 0.6])
    assert largest_probability(p, margin).tolist() == pytest.approx([0.7, 0.6])


@pytest.mark.parametrize("window", [2, 3, 7])
@pytest.mark.parametrize(
    ("measure", "of_window"),
    [
        (spread, lambda window: np.std(window, ddof=1)),
        (spread_of_the_uncertain, lambda window: np.std(window, ddof=1) * (1 - np.mean(window))),
    ],
)
def test_windows_equal_a_loop(
    window: int, measure: Callable[[Tensor], Tensor], of_window: Callable[[Any], Any]
) -> None:
    values = numbers(7, 5)
    rows = values.double().numpy().T
    wanted = [np.mean([of_window(row[at : at + window]) for at in range(7 - window + 1)]) for row in rows]
    assert windowed_mean(values, window, measure).tolist() == pytest.approx(wanted, rel=1e-6)


def test_a_row_whose_probability_never_moves_has_no_spread_at_all() -> None:
    values = torch.full((12, 1), 1 - 2**-24)
    assert windowed_mean(values, 4, spread).tolist() == [0.0]


def test_changes_are_weighed_towards_the_last_window() -> None:
    """By hand: windows of 3 epochs have 2 changes; |q - mean| = |a - b| / sqrt 2, weights .09 and .9."""
    changes = torch.tensor([[100.0], [1.0], [3.0], [7.0]])
    wanted = 0.09 * (2 / 2**0.5) + 0.9 * (4 / 2**0.5)
    assert weighted_changes(changes, 3, 0.9).tolist() == pytest.approx([wanted])


@pytest.mark.parametrize("window", [3, 4, 6])
def test_weighted_changes_equal_a_loop_over_windows(window: int) -> None:
    changes = numbers(6, 4)
    wanted = []
    for row in changes.double().numpy().T:
        total, count = 0.0, 6 - window + 1
        for at in range(count):
            inside = row[at + 1 : at + window]  # the change of a window's first epoch is against an epoch outside it
            total += 0.8 * 0.2 ** (count - 1 - at) * float(np.linalg.norm(inside - inside.mean()))
        wanted.append(total)
    assert weighted_changes(changes, window, 0.8).tolist() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("numbers_in_a_slice", [1, 50, 1 << 22])
def test_the_size_of_a_slice_changes_nothing(numbers_in_a_slice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = numbers(9, 33)
    whole = windowed_mean(values, 4, spread), weighted_changes(values, 4, 0.9)
    monkeypatch.setattr(dynamics, "_SLICE_NUMBERS", numbers_in_a_slice)
    assert torch.equal(windowed_mean(values, 4, spread), whole[0])
    assert torch.equal(weighted_changes(values, 4, 0.9), whole[1])


@pytest.mark.parametrize(
    "maths",
    [
        epoch_mean,
        lambda values: forgetting_events((values > 0.5).float(), 99.0),
        lambda values: windowed_mean(values, 3, spread),
        lambda values: windowed_mean(values, 3, spread_of_the_uncertain),
        lambda values: weighted_changes(values, 3, 0.9),
    ],
)
def test_rows_do_not_know_of_each_other(maths: Callable[[Tensor], Tensor]) -> None:
    values = numbers(6, 20)
    order = torch.randperm(20, generator=generator(1))
    assert torch.equal(maths(values[:, order]), maths(values)[order])
