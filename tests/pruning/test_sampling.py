"""Weighted draws against the chances that they claim, and DUAL's density against the formula."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from scipy.stats import beta

from rethinkdc.pruning.sampling import draw, dual_beta_weights
from rethinkdc.seeds import generator


def uniform(rows: int, seed: int) -> torch.Tensor:
    return torch.rand(rows, dtype=torch.float64, generator=generator(seed))


def test_a_draw_has_the_chances_of_drawing_one_after_the_other() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    tries, seen = 4000, dict.fromkeys(permutations(range(3), 2), 0)
    for seed in range(tries):
        seen[tuple(draw(weights.log(), 2, uniform(3, seed)).tolist())] += 1
    for (first, second), count in seen.items():
        chance = float(weights[first] / weights.sum() * weights[second] / (weights.sum() - weights[first]))
        # Four standard deviations of a binomial count.
        assert abs(count - tries * chance) < 4 * math.sqrt(tries * chance * (1 - chance))


def test_rows_without_weight_come_last_and_only_when_needed() -> None:
    weights = torch.tensor([0.0, 1.0, 0.0, 3.0], dtype=torch.float64).log()
    for seed in range(20):
        order = draw(weights, 4, uniform(4, seed)).tolist()
        assert sorted(order) == [0, 1, 2, 3]
        assert set(order[:2]) == {1, 3}


def test_the_density_is_the_papers() -> None:
    scores, means = torch.tensor([0.1, 0.3, 0.2]), torch.tensor([0.9, 0.4, 0.6])
    kept, exponent = 0.2, 4.0
    b = 15 * (1 - 0.4) * (1 - 0.8**4)
    wanted = torch.tensor([float(s) * beta.pdf(float(m), 16 - b, b) for s, m in zip(scores, means, strict=True)])
    found = dual_beta_weights(scores, means, kept, exponent=exponent, anchors=1).exp()
    assert torch.allclose((found / found.sum()).float(), (wanted / wanted.sum()).float(), rtol=1e-5)


def test_the_higher_the_pruning_rate_the_easier_the_rows() -> None:
    means = torch.linspace(0.05, 0.95, 19)
    scores = torch.ones(19)
    modes = [int(dual_beta_weights(scores, means, kept, exponent=4.0).argmax()) for kept in (0.9, 0.5, 0.2, 0.01)]
    assert modes == sorted(modes)
    assert modes[0] < modes[-1]


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_certain_rows_keep_the_density_finite_and_unscored_ones_have_no_weight(mean: float) -> None:
    found = dual_beta_weights(torch.tensor([0.5, float("nan"), 0.0]), torch.full((3,), mean), 0.01, exponent=4.0)
    assert math.isfinite(float(found[0]))
    assert found[1:].tolist() == [-math.inf, -math.inf]
