"""DeepFool, where the nearest boundary is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.pruning.boundary import boundary_distances
from rethinkdc.seeds import generator


def linear(classes: int = 5, seed: int = 0, width: int = 6) -> nn.Linear:
    made = nn.Linear(width, classes)
    with torch.no_grad():
        for value in made.parameters():
            value.copy_(torch.randn(value.shape, generator=generator(seed)))
    return made.requires_grad_(False)


def closed_form(made: nn.Linear, inputs: Tensor, classes: int) -> list[float]:
    """min over c of |f_c - f_y| / ||w_c - w_y||, y the predicted class."""
    found = []
    for logits in made(inputs):
        top = logits.topk(classes).indices.tolist()
        gaps = [
            abs(float(logits[c] - logits[top[0]])) / float((made.weight[c] - made.weight[top[0]]).norm())
            for c in top[1:]
        ]
        found.append(min(gaps))
    return found


@pytest.mark.parametrize("classes", [2, 3, 5, 10])
def test_of_a_linear_classifier_it_is_the_distance_to_the_nearest_hyperplane(classes: int) -> None:
    made, inputs = linear(), torch.randn((20, 6), generator=generator(1))
    found = boundary_distances(made, inputs, classes, 50, 0.02)
    assert found.tolist() == pytest.approx(closed_form(made, inputs, min(classes, 5)), rel=1e-4)


def test_of_a_curved_boundary_it_is_found_in_steps() -> None:
    """The predicted class changes on the circle of radius 2; steps are those of Newton along a ray."""

    class Circle(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.stack([inputs.square().sum(1), torch.full((len(inputs),), 4.0) + 0 * inputs.sum(1)], 1)

    inputs = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, -1.9]])
    found = boundary_distances(Circle(), inputs, 10, 50, 1e-4)
    assert found.tolist() == pytest.approx([3 / 2, 3.0, 0.39 / 3.8], rel=1e-3)
    # From within, the first step already goes too far; from outside, each leaves a part of the way.
    once = boundary_distances(Circle(), inputs, 10, 1, 1e-4)
    assert torch.isinf(once).tolist() == [False, True, False]


def test_rows_that_nothing_moves_are_infinitely_far() -> None:
    made = linear()
    nn.init.zeros_(made.weight)
    assert (
        boundary_distances(made, torch.randn((3, 6), generator=generator(0)), 10, 50, 0.02).tolist() == [math.inf] * 3
    )
    assert boundary_distances(linear(1), torch.ones(2, 6), 10, 50, 0.02).tolist() == [math.inf] * 2


def test_a_row_on_the_boundary_is_the_nearest_of_all() -> None:
    made = linear(2)
    with torch.no_grad():
        made.weight[1], made.bias[1] = -made.weight[0], made.bias[0]
    inputs = torch.stack([torch.zeros(6), torch.ones(6)])
    on, beside = boundary_distances(made, inputs, 10, 50, 0.02).tolist()
    assert 0 < on < 1e-2 < beside


def test_rows_are_on_their_own_and_the_network_is_left_as_it_was() -> None:
    """A reference implementation freezes all parameters for good, and fails on the CPU."""
    made = nn.Sequential(linear(7), nn.Softplus(), linear(4, width=7)).eval()
    made[0].weight.requires_grad_(True)
    before = [(value.requires_grad, value.clone()) for value in made.parameters()]
    inputs = torch.randn((9, 6), generator=generator(2))
    kept = inputs.clone()
    with torch.no_grad():
        found = boundary_distances(made, inputs, 10, 50, 0.02)
    alone = torch.cat([boundary_distances(made, row[None], 10, 50, 0.02) for row in inputs])
    assert torch.allclose(found, alone, rtol=1e-4)
    assert torch.equal(inputs, kept)
    assert not inputs.requires_grad
    for value, (required, content) in zip(made.parameters(), before, strict=True):
        assert value.requires_grad == required
        assert value.grad is None
        assert torch.equal(value, content)
