"""GRAD-MATCH against least squares on gradients that are written out."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.plugins.pruning.gradmatch import GradMatch
from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.pursuit import match_gradients, require_room
from rethinkdc.seeds import generator
from rethinkdc.types import Budget, Images, Predictions


def layer(rows: int = 20, classes: int = 3, seed: int = 0, copies: int = 1, one_class: bool = False) -> LastLayer:
    draws = generator(seed)
    features, logits = (torch.randn((rows, width), generator=draws).repeat(copies, 1) for width in (4, classes))
    targets = torch.randint(0, 1 if one_class else classes, (rows,), generator=draws).repeat(copies)
    return LastLayer(Predictions(features, logits), targets, torch.arange(rows * copies))


def kernel_of(gradients: LastLayer) -> np.ndarray:
    return torch.stack([gradients.kernel(row) for row in range(len(gradients))]).numpy()


def plain_pursuit(kernel: np.ndarray, count: int, lam: float) -> list[int]:
    """Solves the whole system anew for each pick."""
    picks: list[int] = []
    products, residual = kernel.sum(1), kernel.sum(1)
    for _ in range(count):
        free = [row for row in range(len(kernel)) if row not in picks]
        picks.append(max(free, key=lambda row: residual[row]))
        system = kernel[np.ix_(picks, picks)] + lam * np.eye(len(picks))
        residual = products - kernel[:, picks] @ np.linalg.solve(system, products[picks])
    return picks


def objective(kernel: np.ndarray, picks: Tensor, weights: np.ndarray, lam: float) -> float:
    """Without the constant: w' (K + lam) w - 2 w' b."""
    chosen = picks.numpy()
    system = kernel[np.ix_(chosen, chosen)] + lam * np.eye(len(chosen))
    return float(weights @ system @ weights - 2 * weights @ kernel.sum(1)[chosen])


@given(st.integers(0, 500), st.integers(1, 6), st.sampled_from([0.1, 1.0, 10.0]))
@settings(max_examples=40, deadline=None)
def test_picks_are_those_of_a_plain_pursuit_as_long_as_all_weigh_something(seed: int, count: int, lam: float) -> None:
    gradients = layer(seed=seed, one_class=True)
    kernel = kernel_of(gradients)
    wanted = plain_pursuit(kernel, count, lam)
    system = kernel[np.ix_(wanted, wanted)] + lam * np.eye(count)
    plain = np.linalg.solve(system, kernel.sum(1)[wanted])
    found = match_gradients(gradients, count, lam)
    if (plain > 0).all():
        assert found.picks.tolist() == wanted
        assert found.weights is not None
        assert found.weights.tolist() == pytest.approx(plain.tolist())


@given(st.integers(0, 500), st.integers(1, 20), st.sampled_from([0.0, 0.5, 1.0]), st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_the_budget_is_exact_and_the_weights_are_the_best_non_negative_ones(
    seed: int, count: int, lam: float, copies: int
) -> None:
    gradients = layer(seed=seed, rows=20 // copies, copies=copies)
    kernel = kernel_of(gradients)
    found = match_gradients(gradients, count, lam)
    assert found.weights is not None
    assert len(set(found.picks.tolist())) == count == len(found.weights)
    assert bool((found.weights >= 0).all())
    chosen = found.picks.numpy()
    root = np.linalg.cholesky(kernel[np.ix_(chosen, chosen)] + (lam + 1e-9) * np.eye(count))
    best, _ = nnls(root.T, np.linalg.solve(root, kernel.sum(1)[chosen]), maxiter=1000)
    wanted = objective(kernel, found.picks, best, lam)
    assert objective(kernel, found.picks, found.weights.numpy(), lam) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_the_weighted_gradients_of_two_classes_add_up_to_the_sum_of_both() -> None:
    """Weights that each class scales to its number of rows would not: one class is learned, the other is not."""
    draws = generator(2)
    features, logits = torch.randn((40, 4), generator=draws), 0.3 * torch.randn((40, 3), generator=draws)
    targets = torch.arange(2).repeat_interleave(20)
    logits[:20, 0] += 6
    made, sums = Predictions(features, logits), []
    total, weighted, scaled = (torch.zeros((3, 5), dtype=torch.float64) for _ in range(3))
    for rows in (torch.arange(20), torch.arange(20, 40)):
        gradients = LastLayer(made, targets, rows)
        found = match_gradients(gradients, 8, 0.01)
        assert found.weights is not None
        total += gradients.total()
        weighted += gradients.sum_of(found.picks, found.weights)
        scaled += gradients.sum_of(found.picks, found.weights * 20 / found.weights.sum())
        sums.append(float(found.weights.sum()))
    assert float((weighted - total).norm()) < 0.05 * float(total.norm())
    assert float((scaled - total).norm()) > float((weighted - total).norm())
    assert sums[0] < sums[1]


def test_a_pursuit_that_would_not_fit_into_memory_is_refused() -> None:
    """ImageNet-1K at 10 images per class, from all rows at once."""
    with pytest.raises(UnsupportedError, match=r"10,000 of 1,281,167 rows at once takes 307.5 GB.*balance=class"):
        require_room(1_281_167, 10_000)
    require_room(50_000, 10_000)


def test_the_plugin_refuses_before_a_proxy_is_asked() -> None:
    """A context that is asked nothing: the training set alone says that it would not fit."""

    class Long:
        targets = torch.zeros(1_281_167, dtype=torch.int64)

        def __len__(self) -> int:
            return len(self.targets)

    method, budget = GradMatch(balance=None), Budget(ipc=10, classes=1000, size=224)
    nothing: Any = None
    with pytest.raises(UnsupportedError, match="gradmatch: picking 10,000"):
        method.chooser(cast(Images, Long()), budget, torch.arange(1), nothing)


def test_rows_left_without_weight_are_replaced_as_long_as_another_helps() -> None:
    """In plain pursuit some of these picks weigh nothing; given back, others bring the sum nearer."""
    replaced = 0
    for seed in range(80):
        gradients = layer(rows=60, seed=seed)
        kernel, count = kernel_of(gradients), 8
        plain = plain_pursuit(kernel, count, 0.0)
        root = np.linalg.cholesky(kernel[np.ix_(plain, plain)] + 1e-9 * np.eye(count))
        weights, _ = nnls(root.T, np.linalg.solve(root, kernel.sum(1)[plain]))
        found = match_gradients(gradients, count, 0.0)
        assert found.weights is not None
        if (weights == 0).any():
            replaced += 1
            assert int((found.weights == 0).sum()) <= int((weights == 0).sum())
    assert replaced >= 5


def test_all_rows_with_the_same_weight_are_the_sum_itself() -> None:
    found = match_gradients(layer(rows=5, classes=6), 5, 0.0)
    assert found.weights is not None
    assert found.weights.tolist() == pytest.approx([1.0] * 5)


def test_gradients_of_zero_give_equal_weights() -> None:
    made = Predictions(torch.ones(4, 2), torch.tensor([[2000.0, 0.0]]).repeat(4, 1))
    found = match_gradients(LastLayer(made, torch.zeros(4, dtype=torch.int64), torch.arange(4)), 3, 1.0)
    assert found.picks.tolist() == [0, 1, 2]
    assert found.weights is not None
    assert found.weights.tolist() == pytest.approx([4 / 3] * 3)
