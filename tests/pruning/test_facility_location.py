"""Facility location and CRAIG against dense kernels and naive greedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.pruning import facility_location as coverage
from rethinkdc.pruning.facility_location import assigned, cosine_similarity, distance_similarity, locate_facilities
from rethinkdc.pruning.ties import settled
from rethinkdc.pruning.vectors import Points
from rethinkdc.seeds import generator

ROWS, COUNT = 40, 15


def naive(similar: Tensor, count: int, weights: Tensor) -> list[int]:
    covered, picks = torch.zeros(len(similar), dtype=torch.float64), list[int]()
    for _ in range(count):
        gains = (weights[:, None] * torch.relu(similar - covered[:, None])).sum(0)
        gains[picks] = -torch.inf
        # Two rows that only each other cover have equal gains: the first is taken.
        best = int(settled(gains, 1e3).argmax())
        picks.append(best)
        covered = torch.maximum(covered, similar[:, best])
    return picks


def cosines(matrix: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(matrix, dim=1)
    return (1 + unit @ unit.T) / 2


def nearness(matrix: Tensor) -> Tensor:
    away = torch.cdist(matrix, matrix, compute_mode="donot_use_mm_for_euclid_dist")
    return away.max() - away


@pytest.mark.parametrize(("listed", "tile"), [(1, 7), (200, 7), (1 << 21, 1024)])
@pytest.mark.parametrize(("ours", "theirs"), [(cosine_similarity, cosines), (distance_similarity, nearness)])
def test_picks_are_those_of_naive_greedy_however_pairs_are_held(
    make: Callable[..., Any],
    ours: Callable[..., Any],
    theirs: Callable[..., Tensor],
    listed: int,
    tile: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coverage, "_LISTED", listed)
    monkeypatch.setattr(coverage, "_TILE", tile)
    for seed in range(3):
        case = make(ROWS, seed)
        for weights in (torch.ones(ROWS, dtype=torch.float64), torch.rand(ROWS, generator=generator(9)).double()):
            found = locate_facilities(ours(case.vectors), ROWS, COUNT, weights)
            assert found.tolist() == naive(theirs(case.matrix), COUNT, weights)


def test_every_row_may_be_picked_once(make: Callable[..., Any]) -> None:
    case = make(ROWS, 0)
    assert sorted(locate_facilities(cosine_similarity(case.vectors), ROWS, ROWS).tolist()) == list(range(ROWS))


def test_a_row_in_the_last_tile_counts_as_one_in_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiles that an offset skipped would leave this cluster, the larger one, without a pick."""
    monkeypatch.setattr(coverage, "_TILE", 4)
    table = torch.cat([torch.tensor([[1.0, 0.0]]).repeat(5, 1), torch.tensor([[0.0, 1.0]]).repeat(8, 1)])
    similarity = cosine_similarity(Points(table, torch.arange(13)))
    assert locate_facilities(similarity, 13, 2).tolist() == [5, 0]


def test_weights_of_demand_draw_the_first_pick() -> None:
    table = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    similarity = cosine_similarity(Points(table, torch.arange(3)))
    heavy = torch.tensor([0.1, 0.1, 5.0], dtype=torch.float64)
    assert int(locate_facilities(similarity, 3, 1)[0]) in (0, 1)
    assert int(locate_facilities(similarity, 3, 1, heavy)[0]) == 2


def test_craigs_weights_count_the_nearest_rows_and_add_up_to_all_of_them(make: Callable[..., Any]) -> None:
    case = make(ROWS, 1)
    similarity = distance_similarity(case.vectors)
    picks = locate_facilities(similarity, ROWS, COUNT)
    counts = assigned(similarity, ROWS, picks)
    # From a start of ones they would add up to n + k.
    assert float(counts.sum()) == ROWS
    assert counts.tolist() == torch.bincount(nearness(case.matrix)[:, picks].argmax(1), minlength=COUNT).tolist()


def test_copies_stand_for_the_earlier_pick() -> None:
    similarity = distance_similarity(Points(torch.ones((6, 3)), torch.arange(6)))
    picks = locate_facilities(similarity, 6, 3)
    assert picks.tolist() == [0, 1, 2]
    assert assigned(similarity, 6, picks).tolist() == [6.0, 0.0, 0.0]


def test_permuted_rows_give_permuted_picks_on_any_number_of_threads() -> None:
    table = torch.randn((120, 5), generator=generator(2))
    table = torch.cat([table, table[:40]])
    order, mixed = (torch.randperm(160, generator=generator(seed)) for seed in (3, 4))
    picks = order[locate_facilities(cosine_similarity(Points(table, order)), 160, 50)]
    place = torch.argsort(mixed)
    torch.set_num_threads(2)
    try:
        again = locate_facilities(cosine_similarity(Points(table[mixed], place[order])), 160, 50)
    finally:
        torch.set_num_threads(1)
    assert mixed[place[order][again]].tolist() == picks.tolist()
