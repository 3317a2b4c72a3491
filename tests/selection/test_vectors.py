"""Vectors against the same written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from rethinkdc.errors import RequestError
from rethinkdc.selection import vectors as module
from rethinkdc.selection.vectors import Points
from rethinkdc.types import generator

ORDER = torch.randperm(30, generator=generator(7))


def test_products_are_those_of_the_vectors(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    vectors, matrix = make(30, 1, ORDER)
    left, right = torch.tensor([3, 29, 0]), torch.tensor([5, 3])
    weights = torch.tensor([0.5, -2.0], dtype=torch.float64)
    assert len(vectors) == 30
    assert torch.allclose(vectors.squared_norms(), matrix.square().sum(1))
    assert torch.allclose(vectors.products(left, right), matrix[left] @ matrix[right].T)
    assert torch.allclose(vectors.kernel(4).double(), matrix @ matrix[4], rtol=1e-4, atol=1e-4)
    assert torch.allclose(vectors.dots(left, right, weights), matrix[left] @ (weights @ matrix[right]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_feature_that_is_not_finite_is_an_error_that_names_the_row(value: float) -> None:
    table = torch.zeros((5, 2))
    table[3, 1] = value
    with pytest.raises(RequestError, match="training row 3 are not finite"):
        Points(table, torch.tensor([4, 3, 0])).squared_norms()
