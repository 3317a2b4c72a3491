"""Mean features and gradients of weights: against direct formulas, and by finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.distillation.feature_matching import embedding, gradient_distance, mean_distance, weight_gradients
from rethinkdc.errors import RequestError
from rethinkdc.models import Penultimate
from rethinkdc.seeds import generator


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    module = nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1), nn.GroupNorm(1, 2), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    ).to(dtype)
    with torch.no_grad():
        for index, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator(index)))
    return module


def batch(count: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn((count, 3, 4, 4), generator=generator(seed)).to(dtype)


def test_the_embedding_is_what_the_classifier_reads_and_leaves_no_hook() -> None:
    module, images = network(), batch(5, 1).requires_grad_()
    with Penultimate(module) as penultimate:
        module(images)
        expected = penultimate.features
    with embedding(module) as embed:
        found = embed(images)
    assert torch.equal(found, expected)
    assert found.requires_grad
    with pytest.raises(RuntimeError), embedding(module) as embed:
        embed(images[:, :2])
    assert not any(layer._forward_pre_hooks for layer in module.modules())
    with pytest.raises(RequestError, match="no linear classifier"), embedding(nn.Conv2d(3, 3, 1)):
        pass


def test_the_distance_of_means_is_the_hand_worked_one() -> None:
    """Means (2, 3) and (1, 1): 1 + 4."""
    real = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert mean_distance(real, torch.tensor([[1.0, 1.0]])).item() == 5.0


def test_the_distance_of_gradients_counts_one_minus_cosine_of_each_row() -> None:
    """Rows: parallel 0, orthogonal 1, opposite 2; a bias counts nothing."""
    real = [torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), torch.tensor([5.0])]
    made = [torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, -1.0]]), torch.tensor([-5.0])]
    assert gradient_distance(real, made).item() == pytest.approx(3.0, abs=1e-5)


def test_the_distance_of_gradients_equals_a_loop_over_rows() -> None:
    module = network()
    real = weight_gradients(module, batch(6, 1), 1, graph=False)
    made = weight_gradients(module, batch(2, 2), 1, graph=True)
    expected = 0.0
    for ours, theirs in zip(made, real, strict=True):
        if ours.ndim >= 2:
            for a, b in zip(theirs.reshape(len(theirs), -1), ours.reshape(len(ours), -1), strict=True):
                expected += 1 - float((a * b.detach()).sum() / (a.norm() * b.detach().norm() + 1e-6))
    assert gradient_distance(real, made).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradients_of_the_weights_are_those_of_the_mean_loss() -> None:
    module, images = network(), batch(4, 3)
    F.cross_entropy(module(images), torch.full((4,), 2)).backward()
    found = weight_gradients(module, images, 2, graph=False)
    assert all(
        torch.allclose(ours, parameter.grad, atol=1e-6)  # type: ignore[arg-type]
        for ours, parameter in zip(found, module.parameters(), strict=True)
    )


def test_the_gradient_that_reaches_the_images_is_right() -> None:
    module = network(torch.float64)
    real = weight_gradients(module, batch(5, 1, torch.float64), 0, graph=False)

    def matched(images: Tensor) -> Tensor:
        return gradient_distance(real, weight_gradients(module, images, 0, graph=True))

    def moved(images: Tensor) -> Tensor:
        with embedding(module) as embed:
            return mean_distance(embed(batch(5, 1, torch.float64)).detach(), embed(images))

    images = batch(2, 2, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(matched, (images,))
    assert torch.autograd.gradcheck(moved, (images,))
