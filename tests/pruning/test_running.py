"""Herding and graph cut against loops that compute every value anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.pruning import running
from rethinkdc.pruning.running import cut_graph, herd
from rethinkdc.pruning.ties import settled
from rethinkdc.pruning.vectors import Points
from rethinkdc.seeds import generator


def textbook_herding(matrix: Tensor, count: int) -> list[int]:
    mean, picks = matrix.mean(0), list[int]()
    for index in range(count):
        away = ((index + 1) * mean - matrix[picks].sum(0) - matrix).norm(dim=1)
        away[picks] = torch.inf
        picks.append(int(settled(away).argmin()))
    return picks


def textbook_cut(matrix: Tensor, count: int, lam: float) -> list[int]:
    unit, picks = torch.nn.functional.normalize(matrix, dim=1), list[int]()
    similar = (1 + unit @ unit.T) / 2
    for _ in range(count):
        gain = lam * similar.sum(0) - 2 * similar[picks].sum(0) - similar.diag()
        gain[picks] = -torch.inf
        picks.append(int(settled(gain, 1000.0).argmax()))
    return picks


@pytest.mark.parametrize("count", [1, 15, 40])
def test_herding_is_the_textbooks(make: Callable[..., Any], count: int) -> None:
    for seed in range(4):
        case = make(40, seed)
        assert herd(case.vectors, count).tolist() == textbook_herding(case.matrix, count)


@pytest.mark.parametrize("lam", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("count", [1, 15, 40])
def test_graph_cut_is_the_textbooks(make: Callable[..., Any], count: int, lam: float) -> None:
    for seed in range(4):
        case = make(40, seed)
        assert cut_graph(case.vectors, count, lam).tolist() == textbook_cut(case.matrix, count, lam)


def test_values_that_are_renewed_at_any_pick_give_the_same_picks(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make(40, 5)
    first = [herd(case.vectors, 30).tolist(), cut_graph(case.vectors, 30, 1.0).tolist()]
    for renewed in (1, 7):
        monkeypatch.setattr(running, "_RENEWED", renewed)
        assert [herd(case.vectors, 30).tolist(), cut_graph(case.vectors, 30, 1.0).tolist()] == first


def test_herding_leads_to_the_mean_and_not_away_from_it() -> None:
    """By hand: the mean is 0, so the first pick is the row nearest to 0, the second brings the sum nearest to it."""
    line = torch.tensor([[-4.0], [1.0], [-1.5], [4.5]])
    assert herd(Points(line, torch.arange(4)), 2).tolist() == [1, 2]
    points = torch.randn((400, 8), generator=generator(0))
    mean = points.mean(0)
    picked = (points[herd(Points(points, torch.arange(400)), 40)].mean(0) - mean).norm()
    drawn = (points[:40].mean(0) - mean).norm()
    assert float(picked) < 0.2 * float(drawn)


@pytest.mark.parametrize("choose", [herd, lambda vectors, count: cut_graph(vectors, count, 1.0)])
def test_copies_are_taken_in_order_and_permuted_rows_give_permuted_picks(choose: Callable[..., Tensor]) -> None:
    table = torch.randn((90, 5), generator=generator(2))
    table = torch.cat([table, table[:30], torch.zeros((2, 5))])
    order, mixed = (torch.randperm(122, generator=generator(seed)) for seed in (3, 4))
    picks = order[choose(Points(table, order), 60)]
    assert len(picks.unique()) == 60
    # The same ranks on permuted rows: row i of the new table is row mixed[i] of the old.
    place = torch.argsort(mixed)
    again = choose(Points(table[mixed], place[order]), 60)
    assert mixed[place[order][again]].tolist() == picks.tolist()
    same = choose(Points(torch.ones((9, 2)), torch.arange(9)), 9)
    assert same.tolist() == list(range(9))


@pytest.mark.parametrize("choose", [herd, lambda vectors, count: cut_graph(vectors, count, 1.0)])
def test_threads_do_not_change_a_pick(choose: Callable[..., Tensor]) -> None:
    table = torch.randn((1500, 40), generator=generator(5))
    table = torch.cat([table, table[:500]])
    first = choose(Points(table, torch.arange(2000)), 150)
    torch.set_num_threads(2)
    try:
        assert torch.equal(choose(Points(table, torch.arange(2000)), 150), first)
    finally:
        torch.set_num_threads(1)
