"""GLISTER against gradients that are written out, and computed anew after each round."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning.ascent import Ascent, pick_by_step
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


def of_all(predictions: Predictions, targets: Tensor, count: int, rounds: int, step: float) -> Ascent:
    rows = len(targets)
    return pick_by_step(
        LastLayer(predictions, targets, torch.arange(rows)),
        torch.zeros(rows, dtype=torch.int64),
        [count],
        rounds,
        step,
    )


@given(st.integers(0, 500), st.integers(1, 18), st.integers(1, 20), st.sampled_from([0.01, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_picks_are_those_of_the_gradients_written_out(seed: int, count: int, rounds: int, step: float) -> None:
    predictions, targets = made(seed)
    found = of_all(predictions, targets, count, rounds, step)
    assert len(set(found.picks.tolist())) == count
    # A step on many rows may end a loss; what follows then has a test of its own.
    if not found.restarts:
        assert found.picks.tolist() == plain(predictions, targets, count, min(rounds, count), step, stale=False)


def test_the_validation_gradient_is_computed_anew_after_each_round() -> None:
    """A reference implementation never does, and ranks all rows by one mean gradient."""
    predictions, targets = made(3)
    found = of_all(predictions, targets, 9, 3, 0.5).picks.tolist()
    assert found[:3] == plain(predictions, targets, 9, 3, 0.5, stale=True)[:3]
    assert set(found) != set(plain(predictions, targets, 9, 3, 0.5, stale=True))


@pytest.mark.parametrize(("count", "rounds"), [(1, 15), (7, 15), (17, 4), (18, 1)])
def test_any_number_of_rounds_gives_the_budget(count: int, rounds: int) -> None:
    """The reference implementation never ends for budgets below its number of rounds, and overshoots others."""
    predictions, targets = made(1)
    assert len(of_all(predictions, targets, count, rounds, 0.1).picks) == count


@given(st.integers(0, 200), st.lists(st.integers(0, 4), min_size=3, max_size=3), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_groups_share_a_step_and_each_gets_its_own_number(seed: int, counts: list[int], rounds: int) -> None:
    predictions, targets = made(seed)[0], torch.arange(18) % 3
    if not sum(counts):
        return
    layer = LastLayer(predictions, targets, torch.arange(18))
    found = pick_by_step(layer, targets, counts, rounds, 0.1).picks
    assert torch.bincount(targets[found], minlength=3).tolist() == counts
    # The first round ranks each group by the one gradient of all.
    gains = layer.against(layer.total())
    for group, count in enumerate(counts):
        first = count // min(rounds, max(counts))
        members = (targets == group).nonzero().flatten()
        wanted = members[gains[members].argsort(descending=True)][:first]
        assert set(wanted.tolist()) <= set(found[targets[found] == group][:first].tolist())


def test_picks_of_a_round_follow_from_those_of_other_groups() -> None:
    """One class after the other, each under its own loss, would pick the same whatever the others hold."""
    predictions, targets = made(5)[0], torch.arange(18) % 3
    layer = LastLayer(predictions, targets, torch.arange(18))
    together = pick_by_step(layer, targets, [4, 4, 4], 4, 2.0).picks
    alone = []
    for group in range(3):
        rows = (targets == group).nonzero().flatten()
        own = pick_by_step(LastLayer(predictions, targets, rows), torch.zeros(6, dtype=torch.int64), [4], 4, 2.0)
        alone.append(set(rows[own.picks].tolist()))
    assert [set(together[targets[together] == group].tolist()) for group in range(3)] != alone


def test_where_the_loss_is_gone_the_step_is_taken_back() -> None:
    """One class of like rows: a step so long that nothing is left of the loss, and of the gradient's meaning."""
    draws = generator(0)
    features = torch.ones((8, 2)) + 0.1 * torch.randn((8, 2), generator=draws)
    predictions, targets = Predictions(features, torch.zeros((8, 2))), torch.zeros(8, dtype=torch.int64)
    found, whole = of_all(predictions, targets, 6, 3, 50.0), of_all(predictions, targets, 6, 1, 50.0)
    assert found.restarts == 2
    # Every round ranks as the first one did.
    assert found.picks.tolist() == whole.picks.tolist()
    assert of_all(predictions, targets, 6, 3, 0.01).restarts == 0


def test_where_there_is_no_loss_at_first_the_rows_are_picked_in_their_order() -> None:
    predictions = Predictions(torch.ones(4, 2), torch.tensor([[2000.0, 0.0]]).repeat(4, 1))
    found = of_all(predictions, torch.zeros(4, dtype=torch.int64), 3, 2, 0.1)
    assert found.picks.tolist() == [0, 1, 2]
    assert found.restarts == 0


def test_equal_rows_are_picked_in_their_order() -> None:
    predictions = Predictions(torch.full((6, 2), 0.1), torch.full((6, 3), 0.3))
    assert of_all(predictions, torch.ones(6, dtype=torch.int64), 4, 2, 0.1).picks.tolist() == [0, 1, 2, 3]
