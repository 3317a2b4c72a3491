"""The image optimiser: its schedule, its range, its last iterate, and how it fails."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rethinkdc.distillation import cosine_rate, normalised_range, optimise
from rethinkdc.errors import DivergedError
from rethinkdc.seeds import generator

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
LOW, HIGH = normalised_range(MEAN, STD)


def start() -> Tensor:
    return torch.randn((2, 3, 4, 4), generator=generator(0)) * 5


def test_the_rate_is_a_cosine_from_the_first_iteration_on() -> None:
    assert cosine_rate(0, 100, 0.25) == 0.25
    assert cosine_rate(50, 100, 0.25) == pytest.approx(0.125)
    assert cosine_rate(99, 100, 0.25) == pytest.approx(0.25 * 0.5 * (1 + math.cos(math.pi * 0.99)))


def test_the_range_is_that_of_black_and_white_in_each_channel() -> None:
    assert torch.allclose(LOW.flatten(), torch.tensor([-2.5, -1.6, -0.6]))
    assert torch.allclose(HIGH.flatten(), torch.tensor([2.5, 2.4, 1.4]))


def test_a_run_is_adam_with_that_rate_and_a_clamp_after_each_step() -> None:
    """Adam written out: bias-corrected moments with betas 0.5 and 0.9."""
    target, iterations, lr = torch.full((2, 3, 4, 4), 9.0), 7, 0.3
    found = optimise(
        start(), lambda x, _: (x - target).square().sum(), iterations=iterations, lr=lr, low=LOW, high=HIGH
    )
    x, first, second = start().double(), torch.zeros(2, 3, 4, 4).double(), torch.zeros(2, 3, 4, 4).double()
    for t in range(iterations):
        gradient = 2 * (x - target)
        first = 0.5 * first + 0.5 * gradient
        second = 0.9 * second + 0.1 * gradient**2
        rate = lr * 0.5 * (1 + math.cos(math.pi * t / iterations))
        x = x - rate * (first / (1 - 0.5 ** (t + 1))) / ((second / (1 - 0.9 ** (t + 1))).sqrt() + 1e-8)
        x = torch.maximum(torch.minimum(x, HIGH.double()), LOW.double())
    assert torch.allclose(found.double(), x, atol=1e-5)


def test_every_iterate_but_the_first_lies_in_the_range() -> None:
    seen: list[Tensor] = []

    def loss(x: Tensor, _: int) -> Tensor:
        seen.append(x.detach().clone())
        return -x.square().sum()

    last = optimise(start(), loss, iterations=5, lr=10.0, low=LOW, high=HIGH)
    for images in [*seen[1:], last]:
        assert bool((images >= LOW).all() and (images <= HIGH).all())


def test_the_last_iterate_is_kept_whatever_its_loss() -> None:
    """The loss is lowest at the start; the images leave it, and the last ones are what comes back."""
    begin = torch.zeros((1, 3, 2, 2))
    seen: list[float] = []

    def loss(x: Tensor, iteration: int) -> Tensor:
        seen.append(float(x.detach().mean()))
        return -x.sum() if iteration else 0 * x.sum() - 100

    last = optimise(begin, loss, iterations=4, lr=0.1, low=LOW, high=HIGH)
    assert float(last.mean()) > seen[-1] > seen[0]
    assert bool((begin == 0).all())
    assert not last.requires_grad


@pytest.mark.parametrize("wrong", [0, 5, 40])
def test_a_loss_that_is_not_finite_names_the_iteration_and_the_batch(wrong: int) -> None:
    def loss(x: Tensor, iteration: int) -> Tensor:
        return x.sum() * (math.inf if iteration == wrong else 1.0)

    with pytest.raises(
        DivergedError, match=rf"batch 3 of 7 is -?(inf|nan) in iteration {wrong + 1} of 50.*finished are kept"
    ) as caught:
        optimise(start(), loss, iterations=50, lr=0.1, low=LOW, high=HIGH, where="batch 3 of 7")
    assert caught.value.step == wrong
    assert caught.value.keeps_work


def test_only_the_images_get_a_gradient_and_progress_adds_up() -> None:
    weight, done = torch.ones(3, 1, 1, requires_grad=True), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count

    optimise(start(), lambda x, _: (x * weight).sum(), iterations=70, lr=0.1, low=LOW, high=HIGH, advance=advance)
    assert weight.grad is None
    assert done == 70
