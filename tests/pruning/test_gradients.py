"""Last-layer gradients against those that autograd writes out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.pruning import gradients
from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.seeds import generator
from rethinkdc.types import Predictions


def predicted(rows: int = 12, dimensions: int = 4, classes: int = 3, seed: int = 0) -> tuple[Predictions, Tensor]:
    draws = generator(seed)
    features = torch.randn((rows, dimensions), generator=draws)
    logits = torch.randn((rows, classes), generator=draws)
    return Predictions(features, logits), torch.randint(0, classes, (rows,), generator=draws)


def written_out(made: Predictions, targets: Tensor, moved: Tensor | None = None) -> Tensor:
    """Float64 [N, C, D + 1], by autograd: weights whose logits are the given ones, plus those they were moved by."""
    found = []
    for feature, logit, target in zip(made.features.double(), made.logits.double(), targets, strict=True):
        value = torch.cat([torch.ones(1, dtype=torch.float64), feature])
        weight = torch.zeros(len(logit), len(value), dtype=torch.float64) if moved is None else moved.clone()
        weight.requires_grad_()
        loss = torch.nn.functional.cross_entropy(logit + weight @ value, target)
        found.append(torch.autograd.grad(loss, weight)[0])
    return torch.stack(found)


@pytest.fixture(params=[1 << 24, 1], ids=["held", "read-again"])
def _chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "_CHUNK_NUMBERS", request.param)


@pytest.mark.usefixtures("_chunks")
def test_every_product_is_that_of_the_gradients_of_autograd() -> None:
    made, targets = predicted()
    rows = torch.tensor([7, 2, 11, 5, 0])
    layer, wanted = LastLayer(made, targets, rows), written_out(made, targets)[rows]
    matrix = torch.randn(layer.shape, generator=generator(1), dtype=torch.float64)
    assert len(layer) == 5
    assert torch.allclose(layer.total(), wanted.sum(0), atol=1e-12)
    assert torch.allclose(layer.sum_of(torch.tensor([3, 1])), wanted[[3, 1]].sum(0), atol=1e-12)
    assert torch.allclose(layer.against(matrix), (wanted * matrix).sum((1, 2)), atol=1e-12)
    assert torch.allclose(layer.kernel(2), (wanted * wanted[2]).sum((1, 2)), atol=1e-12)
    moved = written_out(made, targets, matrix)[rows]
    assert torch.allclose(layer.total(matrix), moved.sum(0), atol=1e-12)


def test_a_row_that_is_all_but_certain_still_has_a_gradient() -> None:
    made = Predictions(torch.ones(1, 1), torch.tensor([[0.0, 60.0]]))
    (wrong, right), _ = LastLayer(made, torch.tensor([1]), torch.tensor([0])).total().T
    assert float(wrong) == pytest.approx(8.7565e-27, rel=1e-4)
    assert float(right) == -float(wrong)
