"""Exact nearest neighbours."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning import neighbours
from rethinkdc.pruning.neighbours import nearest_neighbours
from rethinkdc.seeds import generator


def brute_force(points: Tensor, count: int) -> Tensor:
    """By squared distance, then by position; exact for whole numbers."""
    squared = (points[:, None].double() - points[None].double()).square().sum(-1)
    squared.fill_diagonal_(torch.inf)
    return torch.argsort(squared, dim=1, stable=True)[:, :count]


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(1, 8), st.sampled_from([0.0, 1000.0]))
def test_neighbours_are_those_of_a_plain_sort_also_among_copies(seed: int, rows: int, count: int, far: float) -> None:
    points = torch.randint(0, 3, (rows, 2), generator=generator(seed)).float() + far
    found = nearest_neighbours(points, count)
    wanted = brute_force(points, min(count, rows - 1))
    assert torch.equal(found.positions, wanted)
    exact = (points[:, None] - points[wanted]).double().norm(dim=2)
    assert torch.allclose(found.distances, exact, rtol=1e-12, atol=0)


@pytest.mark.parametrize("numbers", [1, 100, 1 << 22])
def test_neither_the_chunks_nor_the_queries_change_a_neighbour(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.randn(40, 6, generator=generator(1)).repeat(2, 1)
    whole = nearest_neighbours(points, 5)
    monkeypatch.setattr(neighbours, "_CHUNK_NUMBERS", numbers)
    queries = torch.tensor([79, 3, 3, 40])
    found = nearest_neighbours(points, 5, queries)
    assert torch.equal(found.positions, whole.positions[queries])
    assert torch.equal(found.distances, whole.distances[queries])


def test_a_row_is_never_its_own_neighbour_and_its_copies_are() -> None:
    points = torch.full((4, 3), 0.1)
    assert nearest_neighbours(points, 2).positions.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert nearest_neighbours(points, 2).distances.tolist() == [[0, 0]] * 4


def test_a_row_alone_has_no_neighbours() -> None:
    assert nearest_neighbours(torch.ones(1, 3), 5).positions.shape == (1, 0)
    assert nearest_neighbours(torch.ones(3, 3), 5, torch.empty(0, dtype=torch.int64)).distances.shape == (0, 2)


def test_one_row_far_away_does_not_make_the_others_equal() -> None:
    points = torch.tensor([[0.0], [3e-4], [2e-4], [1e8]], dtype=torch.float64)
    near = torch.tensor([[0.0], [3e-4], [2e-4]], dtype=torch.float64)
    assert nearest_neighbours(near, 1).positions.tolist() == [[2], [2], [1]]
    assert nearest_neighbours(points, 1).positions.tolist()[3] == [1]
