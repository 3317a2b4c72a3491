"""Messages of D2 pruning."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning.messages import Edges, gather_scores, join, pick_apart
from rethinkdc.pruning.neighbours import nearest_neighbours
from rethinkdc.seeds import generator


def graph_of(points: Tensor, count: int, *, both_ways: bool = False) -> Edges:
    return join(nearest_neighbours(points, count), both_ways=both_ways)


def test_both_ways_each_row_is_joined_once_to_its_neighbours_and_to_those_whose_neighbour_it_is() -> None:
    """0 and 1 are each other's nearest; 1 is that of 4, which is nobody's."""
    points = torch.tensor([[0.0], [1.0], [4.0]])
    directed, edges = (graph_of(points, 1, both_ways=both_ways) for both_ways in (False, True))
    assert directed.others.tolist() == [1, 0, 1]
    assert [edges.others[edges.of(row)].tolist() for row in range(3)] == [[1], [0, 2], [1]]
    assert [edges.distances[edges.of(row)].tolist() for row in range(3)] == [[1.0], [1.0, 3.0], [3.0]]


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 6))
def test_the_undirected_graph_is_the_directed_one_and_its_mirror(seed: int, rows: int, count: int) -> None:
    points = torch.randn(rows, 2, generator=generator(seed))
    found = nearest_neighbours(points, count)
    edges = join(found, both_ways=True)
    wanted = {(row, other) for row in range(rows) for other in found.positions[row].tolist()}
    wanted |= {(other, row) for row, other in wanted}
    assert [(row, other) for row in range(rows) for other in edges.others[edges.of(row)].tolist()] == sorted(wanted)
    for row in range(rows):
        apart = (points.double()[edges.others[edges.of(row)]] - points.double()[row]).norm(dim=1)
        assert edges.distances[edges.of(row)].tolist() == pytest.approx(apart.tolist())


def test_a_single_row_has_no_edge() -> None:
    edges = graph_of(torch.zeros(1, 2), 3, both_ways=True)
    assert edges.starts.tolist() == [0, 0]
    assert gather_scores(torch.tensor([2.0], dtype=torch.float64), edges).tolist() == [2.0]


def test_a_message_weighs_the_exponential_of_minus_the_distance() -> None:
    graph = graph_of(torch.tensor([[0.0], [1.0], [4.0]]), 1)
    found = gather_scores(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), graph)
    assert found.tolist() == pytest.approx([1 + 2 * math.exp(-1), 2 + math.exp(-1), 3 + 2 * math.exp(-3)])


def test_by_hand_a_pick_lowers_its_neighbours() -> None:
    """5 takes 5 from its copy of 4.9, so that the far 1 comes before it."""
    graph = graph_of(torch.tensor([[0.0], [0.0], [9.0], [9.5]]), 1)
    values = torch.tensor([5.0, 4.9, 1.0, 0.5], dtype=torch.float64)
    assert pick_apart(values, graph, 4, gamma=0.0).tolist() == [0, 2, 1, 3]
    # 4.9 - 5 = -0.1; 0.5 - exp(-1 * 0.5) = -0.11 and 0.5 - exp(-3 * 0.5) = 0.28
    assert pick_apart(values, graph, 4, gamma=1.0).tolist() == [0, 2, 1, 3]
    assert pick_apart(values, graph, 4, gamma=3.0).tolist() == [0, 2, 3, 1]
    assert values.tolist() == [5.0, 4.9, 1.0, 0.5]


@given(st.integers(0, 1000), st.integers(1, 15), st.floats(0, 3), st.booleans())
def test_picks_are_those_of_a_loop_over_all_edges(seed: int, count: int, gamma: float, both_ways: bool) -> None:
    draws = generator(seed)
    points, scores = torch.randn(15, 3, generator=draws), torch.rand(15, generator=draws, dtype=torch.float64)
    graph = graph_of(points, 4, both_ways=both_ways)
    values = gather_scores(scores, graph)
    left, wanted = values.tolist(), []
    for _ in range(count):
        best = max((row for row in range(15) if row not in wanted), key=lambda row: left[row])
        wanted.append(best)
        for neighbour in graph.others[graph.of(best)].tolist():
            left[neighbour] -= (
                math.exp(-gamma * math.dist(points[best].tolist(), points[neighbour].tolist())) * left[best]
            )
    assert pick_apart(values, graph, count, gamma).tolist() == wanted


def test_without_any_score_the_first_rows_are_picked() -> None:
    graph = graph_of(torch.zeros(4, 2), 2)
    assert pick_apart(torch.zeros(4, dtype=torch.float64), graph, 3, 0.1).tolist() == [0, 1, 2]
