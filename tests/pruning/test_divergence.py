"""Divergences of predictions, and what is picked or scored by them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning import divergence as module
from rethinkdc.pruning.divergence import contrast, divergence, farthest_first
from rethinkdc.pruning.neighbours import nearest_neighbours
from rethinkdc.seeds import generator


def logs_of(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def random_logs(seed: int, rows: int = 12) -> Tensor:
    return torch.log_softmax(torch.randn((rows, 4), generator=generator(seed), dtype=torch.float64) * 2, 1)


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def test_by_hand() -> None:
    here, there = [0.5, 0.5], [0.9, 0.1]
    logs, others = logs_of((0.5, 0.5)), logs_of((0.9, 0.1))
    assert divergence(logs, others, symmetric=False).tolist() == pytest.approx([kl(there, here)])
    mean = (kl(there, here) + kl(here, there)) / 2
    assert divergence(logs, others, symmetric=True).tolist() == pytest.approx([mean])
    assert divergence(logs, logs[0], symmetric=True).tolist() == [0]


@given(st.integers(0, 500), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_farthest_first_is_that_of_the_whole_matrix(seed: int, count: int) -> None:
    logs = random_logs(seed)
    matrix = [[(kl(p, q) + kl(q, p)) / 2 for q in logs.exp().tolist()] for p in logs.exp().tolist()]
    wanted = [0]
    while len(wanted) < count:
        free = [row for row in range(12) if row not in wanted]
        wanted.append(max(free, key=lambda row: min(matrix[row][pick] for pick in wanted)))
    assert farthest_first(logs, count).tolist() == wanted


def test_equal_predictions_are_picked_once_each_and_in_their_order() -> None:
    logs = logs_of((0.5, 0.5), (0.5, 0.5), (0.9, 0.1), (0.5, 0.5))
    assert farthest_first(logs, 4).tolist() == [0, 2, 1, 3]
    assert farthest_first(logs[:1], 1).tolist() == [0]


def test_chunks_change_no_pick_and_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = random_logs(0).repeat(2, 1)
    near = nearest_neighbours(random_logs(1, 24), 3)
    before = farthest_first(logs, 9), contrast(logs, torch.arange(24), near, symmetric=False)
    monkeypatch.setattr(module, "_CHUNK_NUMBERS", 20)
    assert torch.equal(farthest_first(logs, 9), before[0])
    assert torch.equal(contrast(logs, torch.arange(24), near, symmetric=False), before[1])


@given(st.integers(0, 500), st.booleans())
@settings(max_examples=30, deadline=None)
def test_contrast_is_the_mean_over_the_neighbours(seed: int, symmetric: bool) -> None:
    logs, queries = random_logs(seed), torch.tensor([4, 0, 11])
    near = nearest_neighbours(torch.randn((12, 2), generator=generator(seed)), 3, queries)
    wanted = []
    for row, others in zip(queries.tolist(), near.positions.tolist(), strict=True):
        here = logs[row].exp().tolist()
        there = [logs[other].exp().tolist() for other in others]
        forward = sum(kl(other, here) for other in there) / 3
        backward = sum(kl(here, other) for other in there) / 3
        wanted.append((forward + backward) / 2 if symmetric else forward)
    assert contrast(logs, queries, near, symmetric=symmetric).tolist() == pytest.approx(wanted)


def test_a_row_without_neighbours_contrasts_with_nothing() -> None:
    assert contrast(
        random_logs(0, 1), torch.tensor([0]), nearest_neighbours(torch.ones(1, 2), 5), symmetric=False
    ).tolist() == [0]
