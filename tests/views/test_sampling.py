"""Affine sampling equals torch's grid_sample, and so does its gradient; it can be differentiated twice."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.views import sampling
from rethinkdc.views.sampling import sample_affine


def turned(degrees: float) -> list[list[float]]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [[cosine, sine], [-sine, cosine]]


MATRICES = torch.tensor(
    [
        turned(0),
        turned(15),
        turned(-7.3),
        turned(45),
        turned(90),
        [[1.2, 0.0], [0.0, 1 / 1.2]],
        [[0.9, 0.3], [-0.2, 1.4]],
        [[0.4, 0.0], [0.1, 2.5]],
    ],
    dtype=torch.float64,
)


def noise(size: int) -> Tensor:
    return torch.randn(8, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size))


def reference(images: Tensor, matrices: Tensor) -> Tensor:
    """By grid_sample, whose coordinates have x before y."""
    theta = F.pad(matrices.expand(len(images), 2, 2).flip(1, 2), (0, 1))
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@pytest.mark.parametrize("size", [1, 5, 8, 13])
def test_it_equals_grid_sample_and_so_does_its_gradient(size: int) -> None:
    mine, theirs = noise(size).requires_grad_(), noise(size).requires_grad_()
    weights = noise(size).flip(0)
    for matrices in (MATRICES, *MATRICES.split(1)):
        views, expected = sample_affine(mine, matrices), reference(theirs, matrices)
        torch.testing.assert_close(views, expected, rtol=0, atol=1e-12)
        (grad,) = torch.autograd.grad((views * weights).sum(), mine)
        (wanted,) = torch.autograd.grad((expected * weights).sum(), theirs)
        torch.testing.assert_close(grad, wanted, rtol=0, atol=1e-12)


def test_the_identity_and_quarter_turns_are_exact() -> None:
    images = noise(6).float()
    assert torch.equal(sample_affine(images, MATRICES[:1]), images)
    quarter = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]], dtype=torch.float64)
    assert torch.equal(sample_affine(images, quarter), torch.rot90(images, 1, (2, 3)))


def test_gradients_of_both_orders_are_right() -> None:
    images = noise(3)[:, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda images: sample_affine(images, MATRICES), (images,))
    assert torch.autograd.gradgradcheck(
        lambda images: sample_affine(images, MATRICES).square(), (images,), fast_mode=True
    )


def test_parts_of_a_batch_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(6)
    whole, shared = sample_affine(images, MATRICES), sample_affine(images, MATRICES[1:2])
    monkeypatch.setattr(sampling, "_PART_PIXELS", 3 * 36)
    assert torch.equal(sample_affine(images, MATRICES), whole)
    assert torch.equal(sample_affine(images, MATRICES[1:2]), shared)


def test_no_views_can_be_asked_for() -> None:
    assert sample_affine(torch.empty(0, 3, 4, 4), MATRICES[:0]).shape == (0, 3, 4, 4)


@pytest.mark.gpu
def test_a_gpu_repeats_its_gradients_bit_for_bit() -> None:
    found = []
    for _ in range(2):
        images = noise(64).float().cuda().requires_grad_()
        sample_affine(images, MATRICES).square().sum().backward()
        assert images.grad is not None
        found.append(images.grad)
    assert torch.equal(found[0], found[1])
