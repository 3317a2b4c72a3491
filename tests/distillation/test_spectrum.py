"""Densification against hand-worked spectra."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.distillation import densification
from rethinkdc.seeds import generator


def pixels(*rows: tuple[float, float]) -> Tensor:
    """A class of images of 2 x 2 px, black but for two numbers of each."""
    images = torch.zeros((1, len(rows), 3, 2, 2))
    for index, (one, other) in enumerate(rows):
        images[0, index, 0, 0, 0], images[0, index, 2, 1, 1] = one, other
    return images


def divergence(eigenvalues: list[float], tau: float) -> float:
    def softmax(values: list[float]) -> list[float]:
        total = sum(math.exp(value) for value in values)
        return [math.exp(value) / total for value in values]

    smooth, own = softmax([value / tau for value in eigenvalues]), softmax(eigenvalues)
    return sum(p * math.log(p / q) for p, q in zip(smooth, own, strict=True))


@pytest.mark.parametrize("tau", [4.0, 2.0])
def test_the_term_is_the_divergence_of_hand_worked_eigenvalues(tau: float) -> None:
    """Equal images: [[1, 1], [1, 1]] has 0 and 2. Lengths 1 and 2 at a right angle: 1 and 4. Equal ones: 1 and 1."""
    assert float(densification(pixels((1, 0), (1, 0)), tau)) == pytest.approx(divergence([0, 2], tau), rel=1e-4)
    assert float(densification(pixels((1, 0), (0, 2)), tau)) == pytest.approx(divergence([1, 4], tau), rel=1e-4)
    assert float(densification(pixels((1, 0), (0, 1)), tau)) == pytest.approx(0.0, abs=1e-6)
    # 0.3775 ln(0.3775 / 0.1192) + 0.6225 ln(0.6225 / 0.8808).
    assert divergence([0, 2], 4.0) == pytest.approx(0.2191, abs=1e-4)


def test_classes_add_up() -> None:
    both = torch.cat([pixels((1, 0), (1, 0)), pixels((1, 0), (0, 2))])
    assert float(densification(both)) == pytest.approx(divergence([0, 2], 4) + divergence([1, 4], 4), rel=1e-4)


def test_the_gradient_leaves_the_smoothed_spectrum_alone_and_makes_images_differ() -> None:
    images = pixels((1, 0.1), (1, -0.1)).requires_grad_()
    (found,) = torch.autograd.grad(densification(images), images)
    rows = images.flatten(0, 1).flatten(1)
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T)
    smooth = (eigenvalues / 4).softmax(0).detach()
    (expected,) = torch.autograd.grad((smooth * (smooth.log() - eigenvalues.log_softmax(0))).sum(), images)
    assert torch.allclose(found, expected, atol=1e-6)
    moved = images.detach() - 0.1 * found
    between, before = (
        (one * other).sum() / (one.norm() * other.norm()) for one, other in (moved[0], images.detach()[0])
    )
    assert between < before


def test_one_image_of_a_class_and_equal_eigenvalues_have_no_gradient_and_no_nan() -> None:
    for images in (pixels((1, 0)), pixels((1, 0), (0, 1))):
        images.requires_grad_()
        loss = densification(images)
        (gradient,) = torch.autograd.grad(loss, images)
        assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_images_that_are_not_finite_make_a_loss_that_is_not(value: float) -> None:
    """Of four images: the eigenvalues of two are NaN, those of more an error."""
    images = torch.randn((2, 4, 3, 8, 8), generator=generator(0))
    images[1, 2, 0, 0, 0] = value
    assert not bool(densification(images).isfinite())


@pytest.mark.parametrize("size", [64, 96, 40])
def test_large_images_are_pooled_to_32_px(size: int) -> None:
    images = torch.randn((2, 3, 3, size, size), generator=generator(0)) / 10
    small = F.adaptive_avg_pool2d(images.flatten(0, 1), 32).unflatten(0, (2, 3))
    assert float(densification(images)) == pytest.approx(float(densification(small)), rel=1e-4)
    assert float(densification(small)) > 0
