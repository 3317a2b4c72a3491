"""K-center greedy against the textbook form, which compares all rows with all picks at each pick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning import farthest, vectors
from rethinkdc.pruning.farthest import farthest_points
from rethinkdc.pruning.vectors import Points
from rethinkdc.seeds import generator


def textbook(matrix: Tensor, count: int, spared: float = 0.0) -> list[int]:
    picks, away = [0], torch.cdist(matrix, matrix, compute_mode="donot_use_mm_for_euclid_dist")
    skipped = min(int(spared * len(matrix)), len(matrix) - count)
    while len(picks) < count:
        nearest = away[:, picks].amin(1)
        nearest[picks] = -1
        picks.append(int(torch.argsort(nearest, descending=True, stable=True)[skipped]))
    return picks


@pytest.mark.parametrize("block", [1, 3, 256])
@pytest.mark.parametrize("count", [1, 12, 40])
def test_picks_are_those_of_the_textbook(
    make: Callable[..., Any], block: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farthest, "_BLOCK", block)
    monkeypatch.setattr(farthest, "CHUNK", 11)
    for seed in range(4):
        case = make(40, seed)
        assert farthest_points(case.vectors, count).tolist() == textbook(case.matrix, count)


def test_outliers_are_passed_over_at_each_pick(make: Callable[..., Any]) -> None:
    case = make(40, 3)
    assert farthest_points(case.vectors, 9, spared=0.1).tolist() == textbook(case.matrix, 9, 0.1)
    assert sorted(farthest_points(case.vectors, 40, spared=0.5).tolist()) == list(range(40))


@pytest.mark.parametrize("block", [1, 4, 256])
def test_the_passed_over_are_counted_anew_at_each_pick(
    make: Callable[..., Any], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farthest, "_BLOCK", block)
    for seed in range(3):
        case = make(40, seed)
        assert farthest_points(case.vectors, 20, spared=0.1).tolist() == textbook(case.matrix, 20, 0.1)


def test_of_more_equals_than_a_block_holds_the_first_is_picked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farthest, "_BLOCK", 3)
    table = torch.cat([torch.zeros((1, 2)), torch.ones((50, 2)), 2 * torch.ones((40, 2))])
    assert farthest_points(Points(table, torch.arange(91)), 5).tolist() == [0, 51, 1, 2, 3]


def test_an_outlier_is_picked_first_unless_outliers_are_spared() -> None:
    """By hand on a line: from 0 the outlier at 100 is farthest, then 6, then 3."""
    line = torch.tensor([[0.0], [1.0], [3.0], [6.0], [100.0]])
    points = Points(line, torch.arange(5))
    assert farthest_points(points, 4).tolist() == [0, 4, 3, 2]
    assert 4 not in farthest_points(points, 3, spared=0.2).tolist()


@given(st.integers(0, 1000), st.integers(2, 12), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_of_copies_the_first_is_picked_and_all_are_once(seed: int, count: int, block: int) -> None:
    table = torch.randint(0, 3, (12, 2), generator=generator(seed)).float()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(farthest, "_BLOCK", block)
        picks = farthest_points(Points(table, torch.arange(12)), count)
    assert len(picks.unique()) == count
    assert picks.tolist() == textbook(table.double(), count)


def test_neither_threads_nor_chunks_change_a_pick(monkeypatch: pytest.MonkeyPatch) -> None:
    table = torch.randn((600, 33), generator=generator(0))
    table = torch.cat([table, table[:100]])
    order = torch.randperm(700, generator=generator(1))
    first = farthest_points(Points(table, order), 80)
    monkeypatch.setattr(vectors, "CHUNK", 64)
    monkeypatch.setattr(farthest, "CHUNK", 64)
    monkeypatch.setattr(farthest, "_BLOCK", 5)
    torch.set_num_threads(2)
    try:
        assert torch.equal(farthest_points(Points(table, order), 80), first)
    finally:
        torch.set_num_threads(1)
