"""Small sets of vectors, as features and as last-layer gradients that are also written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.vectors import Points, Vectors
from rethinkdc.seeds import generator
from rethinkdc.types import Predictions


class Case(NamedTuple):
    """Vectors in a given order of rows, and the same written out: float64 [n, D]."""

    vectors: Vectors
    matrix: Tensor


Make = Callable[..., Case]


@pytest.fixture(params=["features", "gradients"])
def make(request: pytest.FixtureRequest) -> Make:
    """``make(n, seed, order)``: n clustered vectors; ``order`` (int64 [n]) permutes them."""

    def features(rows: int, seed: int = 0, order: Tensor | None = None) -> Case:
        draws = generator(seed)
        table = torch.randn((rows, 6), generator=draws)
        table += 3 * torch.randn((4, 6), generator=draws)[torch.randint(4, (rows,), generator=draws)]
        order = torch.arange(rows) if order is None else order
        return Case(Points(table, order), table[order].double())

    def gradients(rows: int, seed: int = 0, order: Tensor | None = None) -> Case:
        draws, classes = generator(seed), 3
        table, logits = torch.randn((rows, 6), generator=draws), 2 * torch.randn((rows, classes), generator=draws)
        targets = torch.randint(classes, (rows,), generator=draws)
        order = torch.arange(rows) if order is None else order
        errors = torch.softmax(logits.double(), 1) - torch.nn.functional.one_hot(targets, classes)
        inputs = torch.cat([torch.ones((rows, 1)), table], 1).double()
        whole = (errors[:, :, None] * inputs[:, None]).flatten(1)
        return Case(LastLayer(Predictions(table, logits), targets, order), whole[order])

    return {"features": features, "gradients": gradients}[request.param]
