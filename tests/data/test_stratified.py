from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.data.stratified import proportional, stratified_folds, stratified_rows, stratified_split
from rethinkdc.errors import RequestError


def sorted_targets(*sizes: int) -> Tensor:
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


def test_largest_remainder_is_worked_by_hand() -> None:
    # Shares of 5 out of (3, 3, 4): 1.5, 1.5, 2.0; the one left over goes to the lower of two equal remainders.
    assert proportional(torch.tensor([3, 3, 4]), 5).tolist() == [2, 1, 2]


def test_quotas_are_exact_and_within_one_of_the_share() -> None:
    draws = torch.Generator().manual_seed(1)
    for _ in range(200):
        sizes = torch.randint(0, 40, (9,), generator=draws)
        count = int(torch.randint(0, int(sizes.sum()) + 1, (1,), generator=draws))
        quotas = proportional(sizes, count)
        assert int(quotas.sum()) == count
        assert (quotas <= sizes).all()
        assert ((quotas - sizes * count / sizes.sum()).abs() < 1).all()


def test_a_split_keeps_every_row_once_and_every_class_in_proportion() -> None:
    targets = sorted_targets(100, 50, 10)
    kept, held = stratified_split(targets, 0.2, seed=0)
    assert torch.equal(torch.cat([kept, held]).sort().values, torch.arange(160))
    assert torch.equal(kept, kept.sort().values)
    assert torch.equal(held, held.sort().values)
    assert torch.bincount(targets[held]).tolist() == [20, 10, 2]


def test_a_draw_depends_on_the_seed_alone() -> None:
    targets = sorted_targets(100, 50)
    torch.manual_seed(1)
    first = stratified_rows(targets, 30, seed=5)
    state = torch.get_rng_state()
    again = stratified_rows(targets, 30, seed=5)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, stratified_rows(targets, 30, seed=6))


def test_rows_of_a_class_are_equally_likely() -> None:
    targets = sorted_targets(5, 5)
    drawn = torch.cat([stratified_rows(targets, 4, seed) for seed in range(2000)])
    # Each row is drawn with probability 0.4: 800 +- 22.
    assert (torch.bincount(drawn, minlength=10) - 800).abs().max() < 100


def test_rows_are_distinct_and_as_many_as_asked() -> None:
    targets = sorted_targets(7, 3, 0, 12)
    for count in range(len(targets) + 1):
        rows = stratified_rows(targets, count, seed=2)
        assert len(rows) == count == len(set(rows.tolist()))


def test_folds_are_balanced_in_all_and_within_each_class() -> None:
    targets = sorted_targets(178, 182, 177, 183)
    folds = stratified_folds(targets, 5, seed=0)
    sizes = torch.bincount(folds)
    assert int(sizes.max() - sizes.min()) <= 1
    for index in range(4):
        within = torch.bincount(folds[targets == index], minlength=5)
        assert int(within.max() - within.min()) <= 1


@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.001])
def test_a_split_with_an_empty_side_is_refused(fraction: float) -> None:
    with pytest.raises(RequestError, match="both sides"):
        stratified_split(sorted_targets(5, 5), fraction, seed=0)


@pytest.mark.parametrize("count", [-1, 11])
def test_more_rows_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(RequestError, match="10"):
        stratified_rows(sorted_targets(5, 5), count, seed=0)
