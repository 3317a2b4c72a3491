"""Medoids of k-means."""

from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning.medoids import k_means_medoids
from rethinkdc.seeds import generator


def blobs(seed: int, clusters: int = 4, each: int = 9) -> Tensor:
    """Far apart, and without two equal points; rows of one cluster follow one another."""
    draws = generator(seed)
    centres = torch.eye(clusters, 5) * 100
    return centres.repeat_interleave(each, 0) + torch.rand((clusters * each, 5), generator=draws)


def test_the_medoid_of_each_far_apart_cluster_is_the_row_nearest_to_its_mean() -> None:
    points = blobs(0)
    wanted = []
    for index, cluster in enumerate(points.double().split(9)):
        wanted.append(9 * index + int((cluster - cluster.mean(0)).norm(dim=1).argmin()))
    assert sorted(k_means_medoids(points, 4, seed=0, iterations=300).tolist()) == wanted


def test_the_largest_cluster_comes_first() -> None:
    points = torch.cat([blobs(0)[:5], blobs(0)[9:18]])
    first, second = k_means_medoids(points, 2, seed=0, iterations=300).tolist()
    assert first >= 5 > second


def test_each_row_alone_is_picked_where_as_many_are_asked_for_as_there_are() -> None:
    assert sorted(k_means_medoids(blobs(0), 36, seed=0, iterations=10).tolist()) == list(range(36))
    assert k_means_medoids(torch.ones(1, 2), 1, seed=0, iterations=10).tolist() == [0]


@given(st.integers(1, 12), st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_copies_never_make_a_pick_repeat(count: int, seed: int) -> None:
    points = torch.randint(0, 2, (12, 2), generator=generator(seed)).float()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = k_means_medoids(points, count, seed, 50)
    assert len(set(found.tolist())) == count
    distinct = len(torch.unique(points, dim=0))
    assert len(torch.unique(points[found], dim=0)) == min(count, distinct)


def test_copies_fill_up_in_their_order() -> None:
    assert k_means_medoids(torch.zeros(5, 3), 3, seed=0, iterations=10).tolist() == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_picks_do_not_depend_on_the_threads_nor_on_numpys_own_generator(threads: int) -> None:
    points = torch.randn(600, 8, generator=generator(0))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = k_means_medoids(points, 10, seed=3, iterations=300)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found, k_means_medoids(points.double(), 10, seed=3, iterations=300))
