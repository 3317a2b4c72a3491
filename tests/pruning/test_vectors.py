"""Vectors against the same written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from rethinkdc.errors import RequestError
from rethinkdc.pruning import vectors as module
from rethinkdc.pruning.vectors import Points
from rethinkdc.seeds import generator

ORDER = torch.randperm(30, generator=generator(7))


def test_products_are_those_of_the_vectors(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    vectors, matrix = make(30, 1, ORDER)
    left, right = torch.tensor([3, 29, 0]), torch.tensor([5, 3])
    weights = torch.tensor([0.5, -2.0], dtype=torch.float64)
    assert len(vectors) == 30
    assert torch.allclose(vectors.squared_norms(), matrix.square().sum(1))
    assert torch.allclose(vectors.products(left, right), matrix[left] @ matrix[right].T)
    total = vectors.sum_of(right, weights)
    assert torch.allclose(vectors.against(total, left), matrix[left] @ (weights @ matrix[right]))
    assert torch.allclose(vectors.against(vectors.sum_of(left)), matrix @ matrix[left].sum(0))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_kernel_is_as_precise_as_it_says_at_any_scale(make: Callable[..., Any], scale: float) -> None:
    vectors, matrix = make(30, 1, ORDER)
    if isinstance(vectors, Points):
        # All numbers alike: every rounding of a sum goes the same way.
        matrix = torch.cat([matrix, torch.full((1, 6), 0.7)]).repeat(1, 50).mul(scale).float()
        vectors, matrix = Points(matrix, torch.arange(31)), matrix.double()
    for position in range(len(vectors)):
        off = (vectors.kernel(position) - matrix @ matrix[position]).abs()
        assert bool((off <= vectors.precision * matrix.norm(dim=1).max() ** 2).all())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_feature_that_is_not_finite_is_an_error_that_names_the_row(value: float) -> None:
    table = torch.zeros((5, 2))
    table[3, 1] = value
    with pytest.raises(RequestError, match="training row 3 are not finite"):
        Points(table, torch.tensor([4, 3, 0])).squared_norms()
