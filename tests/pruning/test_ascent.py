"""GLISTER against gradients that are written out, and computed anew after each round."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning.ascent import pick_by_step
from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.seeds import generator
from rethinkdc.types import Predictions


def made(seed: int, rows: int = 18, classes: int = 3) -> tuple[Predictions, Tensor]:
    draws = generator(seed)
    features, logits = (torch.randn((rows, width), generator=draws) for width in (4, classes))
    return Predictions(features, logits), torch.randint(0, classes, (rows,), generator=draws)


def plain(predictions: Predictions, targets: Tensor, count: int, rounds: int, step: float, stale: bool) -> list[int]:
    """With all gradients [N, C, D + 1] and logits that are moved round by round."""
    inputs = torch.cat([torch.ones(len(targets), 1), predictions.features], 1).double()
    logits, onehot = predictions.logits.double(), torch.eye(predictions.logits.shape[1])[targets].double()

    def gradients_at(logits: Tensor) -> Tensor:
        return (torch.softmax(logits, 1) - onehot)[:, :, None] * inputs[:, None]

    own, validation, picks = gradients_at(logits), gradients_at(logits).sum(0), list[int]()
    for index in range(rounds):
        size = (index + 1) * count // rounds - index * count // rounds
        gains = (own * validation).sum((1, 2))
        gains[picks] = -torch.inf
        new = gains.argsort(descending=True)[:size].tolist()
        picks += new
        logits = logits - step * inputs @ own[new].sum(0).T
        validation = validation if stale else gradients_at(logits).sum(0)
    return picks


@given(st.integers(0, 500), st.integers(1, 18), st.integers(1, 20), st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_picks_are_those_of_the_gradients_written_out(seed: int, count: int, rounds: int, step: float) -> None:
    predictions, targets = made(seed)
    found = pick_by_step(LastLayer(predictions, targets, torch.arange(18)), count, rounds, step)
    assert len(set(found.tolist())) == count
    assert found.tolist() == plain(predictions, targets, count, min(rounds, count), step, stale=False)


def test_the_validation_gradient_is_computed_anew_after_each_round() -> None:
    """A reference implementation never does, and ranks all rows by one mean gradient."""
    predictions, targets = made(3)
    found = pick_by_step(LastLayer(predictions, targets, torch.arange(18)), 9, 3, 0.5).tolist()
    assert found[:3] == plain(predictions, targets, 9, 3, 0.5, stale=True)[:3]
    assert set(found) != set(plain(predictions, targets, 9, 3, 0.5, stale=True))


@pytest.mark.parametrize(("count", "rounds"), [(1, 15), (7, 15), (17, 4), (18, 1)])
def test_any_number_of_rounds_gives_the_budget(count: int, rounds: int) -> None:
    """The reference implementation never ends for budgets below its number of rounds, and overshoots others."""
    predictions, targets = made(1)
    assert len(pick_by_step(LastLayer(predictions, targets, torch.arange(18)), count, rounds, 0.1)) == count


def test_equal_rows_are_picked_in_their_order() -> None:
    predictions = Predictions(torch.full((6, 2), 0.1), torch.full((6, 3), 0.3))
    layer = LastLayer(predictions, torch.ones(6, dtype=torch.int64), torch.arange(6))
    assert pick_by_step(layer, 4, 2, 0.1).tolist() == [0, 1, 2, 3]
