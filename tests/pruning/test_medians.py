"""Distances to the median of a class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.pruning.medians import median_distances, middle
from rethinkdc.seeds import generator


@given(st.integers(0, 1000), st.integers(1, 4))
def test_distances_are_those_to_numpys_median_of_each_class(seed: int, classes: int) -> None:
    draws = generator(seed)
    features = torch.randn(17, 3, generator=draws)
    targets = torch.randint(0, classes, (17,), generator=draws)
    found = median_distances(features, targets)
    for index in targets.unique():
        points = features[targets == index].double().numpy()
        wanted = np.linalg.norm(points - np.median(points, axis=0), axis=1)
        assert found[targets == index].tolist() == pytest.approx(wanted.tolist())


def test_a_class_of_one_row_is_at_its_own_median() -> None:
    """The reference implementation squeezes the only row away."""
    assert median_distances(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1])).tolist() == [0, 0]


def test_middle_ranks_are_kept_and_not_dropped() -> None:
    """A fork of the reference implementation swaps the shares that are kept and pruned."""
    values = torch.tensor([5.0, 1.0, 3.0, 2.0, 4.0, 9.0, 0.0])
    assert middle(values, 1).tolist() == [2]
    assert middle(values, 3).tolist() == [3, 2, 4]
    assert middle(values, 5).tolist() == [1, 3, 2, 4, 0]
    assert middle(values, 7).tolist() == [6, 1, 3, 2, 4, 0, 5]


def test_equal_distances_keep_their_order() -> None:
    assert middle(torch.zeros(6), 2).tolist() == [2, 3]
