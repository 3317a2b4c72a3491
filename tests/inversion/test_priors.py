"""The image priors against loops over pixels, and where the loss has them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.inversion import Recipe, recover
from rethinkdc.inversion.priors import mean_norm, total_variation
from rethinkdc.types import generator


def images() -> Tensor:
    return torch.randn((2, 3, 4, 5), generator=generator(0))


def test_total_variation_is_that_of_a_loop_over_four_directions() -> None:
    shown, expected = images(), 0.0
    for down, right in ((1, 0), (0, 1), (1, 1), (1, -1)):
        squares = 0.0
        for image in shown:
            for channel in image:
                for y in range(4 - down):
                    for x in range(max(0, -right), 5 - max(0, right)):
                        squares += (float(channel[y, x]) - float(channel[y + down, x + right])) ** 2
        expected += math.sqrt(squares)
    assert float(total_variation(shown)) == pytest.approx(expected, rel=1e-6)


def test_the_mean_norm_is_that_of_a_loop_and_not_the_norm_of_the_batch() -> None:
    shown = images()
    norms = [math.sqrt(sum(float(value) ** 2 for value in image.flatten())) for image in shown]
    assert float(mean_norm(shown)) == pytest.approx(sum(norms) / 2, rel=1e-6)


def test_a_flat_image_has_a_gradient_of_zero_and_not_nan() -> None:
    flat = torch.zeros(2, 3, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(total_variation(flat) + mean_norm(flat), flat)
    assert bool((gradient == 0).all())


@pytest.mark.parametrize(("tv", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5)])
def test_the_loss_has_the_weighted_priors_of_the_views(tv: float, l2: float) -> None:
    """By the gradient that reaches the images: a first step of Adam tells no more than its sign."""
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(60, 2)).eval().requires_grad_(False)
    start, labels = images(), torch.tensor([0, 1])
    given: list[Tensor] = []

    def view(current: Tensor, _: int) -> Tensor:
        current.register_hook(given.append)
        return 2 * current

    low, high = torch.tensor(-9.0), torch.tensor(9.0)
    recover(start, labels, module, Recipe(1, 0.1, 0.0, tv=tv, l2=l2), view=view, low=low, high=high)
    shown = start.clone().requires_grad_()
    loss = nn.functional.cross_entropy(module(2 * shown), labels)
    loss = loss + tv * total_variation(2 * shown) + l2 * mean_norm(2 * shown)
    (expected,) = torch.autograd.grad(loss, shown)
    assert torch.allclose(given[0], expected, rtol=1e-5, atol=1e-7)
