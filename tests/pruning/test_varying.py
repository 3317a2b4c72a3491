"""VoG: gradients of inputs, worked by hand and beside plain tensors of all snapshots."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning.varying import input_gradient, standardised, variation
from rethinkdc.seeds import generator


def test_the_gradient_is_that_of_the_own_logit_and_a_mean_over_channels() -> None:
    """Of a linear network it is its weights."""
    weights = torch.arange(24.0).view(2, 3, 2, 2)

    def network(points: Tensor) -> Tensor:
        return torch.einsum("bchw,kchw->bk", points, weights)

    found = input_gradient(network, torch.ones((3, 3, 2, 2)), torch.tensor([0, 1, 1]))
    assert torch.equal(found, weights.mean(1)[[0, 1, 1]])


@given(st.integers(0, 300), st.integers(1, 6))
def test_the_variation_is_the_deviation_of_each_pixel_over_all_snapshots(seed: int, count: int) -> None:
    gradients = 1000 + torch.randn((count, 5, 3, 2), generator=generator(seed))
    wanted = gradients.double().std(0, correction=0).flatten(1).mean(1)
    assert variation(gradients).tolist() == pytest.approx(wanted.tolist(), rel=1e-9, abs=1e-9)


def test_scores_are_standardised_within_their_class() -> None:
    values, targets = torch.tensor([1.0, 3.0, 10.0, 10.0, 5.0], dtype=torch.float64), torch.tensor([0, 0, 2, 2, 3])
    assert standardised(values, targets).tolist() == [-1.0, 1.0, 0.0, 0.0, 0.0]
