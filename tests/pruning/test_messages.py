"""Messages of D2 pruning."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.pruning.messages import gather_scores, pick_apart
from rethinkdc.pruning.neighbours import nearest_neighbours
from rethinkdc.seeds import generator


def test_a_message_weighs_the_exponential_of_minus_the_distance() -> None:
    graph = nearest_neighbours(torch.tensor([[0.0], [1.0], [4.0]]), 1)
    found = gather_scores(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), graph)
    assert found.tolist() == pytest.approx([1 + 2 * math.exp(-1), 2 + math.exp(-1), 3 + 2 * math.exp(-3)])


def test_by_hand_a_pick_lowers_its_neighbours() -> None:
    """5 takes 5 from its copy of 4.9, so that the far 1 comes before it."""
    graph = nearest_neighbours(torch.tensor([[0.0], [0.0], [9.0], [9.5]]), 1)
    values = torch.tensor([5.0, 4.9, 1.0, 0.5], dtype=torch.float64)
    assert pick_apart(values, graph, 4, gamma=0.0).tolist() == [0, 2, 1, 3]
    # 4.9 - 5 = -0.1; 0.5 - exp(-1 * 0.5) = -0.11 and 0.5 - exp(-3 * 0.5) = 0.28
    assert pick_apart(values, graph, 4, gamma=1.0).tolist() == [0, 2, 1, 3]
    assert pick_apart(values, graph, 4, gamma=3.0).tolist() == [0, 2, 3, 1]
    assert values.tolist() == [5.0, 4.9, 1.0, 0.5]


@given(st.integers(0, 1000), st.integers(1, 15), st.floats(0, 3))
def test_picks_are_those_of_a_loop_over_all_edges(seed: int, count: int, gamma: float) -> None:
    draws = generator(seed)
    points, scores = torch.randn(15, 3, generator=draws), torch.rand(15, generator=draws, dtype=torch.float64)
    graph = nearest_neighbours(points, 4)
    values = gather_scores(scores, graph)
    left, wanted = values.tolist(), []
    for _ in range(count):
        best = max((row for row in range(15) if row not in wanted), key=lambda row: left[row])
        wanted.append(best)
        for neighbour in graph.positions[best].tolist():
            left[neighbour] -= (
                math.exp(-gamma * math.dist(points[best].tolist(), points[neighbour].tolist())) * left[best]
            )
    assert pick_apart(values, graph, count, gamma).tolist() == wanted


def test_without_any_score_the_first_rows_are_picked() -> None:
    graph = nearest_neighbours(torch.zeros(4, 2), 2)
    assert pick_apart(torch.zeros(4, dtype=torch.float64), graph, 3, 0.1).tolist() == [0, 1, 2]
