"""The image priors against loops over pixels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rethinkdc.distillation.priors import mean_norm, total_variation
from rethinkdc.seeds import generator


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
