"""The spread over sets and over students, and over test images."""

from __future__ import annotations

import hashlib
import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from rethinkdc.statistics import part_variance, resample_images


def test_two_components_are_those_worked_by_hand() -> None:
    # Means .5 and .8: squares within .02 + .02 over 2 = .02; between 2 x (.15^2 + .15^2) = .09; (.09 - .02) / 2.
    found = part_variance([[0.4, 0.6], [0.7, 0.9]])
    assert found is not None
    assert found.over_students == pytest.approx(math.sqrt(0.02))
    assert found.over_sets == pytest.approx(math.sqrt(0.035))
    assert (found.sets, found.students) == (2, 4)


def test_students_that_differ_more_than_sets_leave_nothing_to_the_sets() -> None:
    found = part_variance([[0.4, 0.6], [0.6, 0.4]])
    assert found is not None
    assert found.over_sets == 0


def test_one_student_a_set_cannot_be_told_apart_and_one_set_has_students_alone() -> None:
    assert part_variance([[0.4], [0.5], [0.6]]) is None
    found = part_variance([[0.4, 0.6]])
    assert found is not None
    assert (found.over_sets, found.sets) == (None, 1)


def test_components_are_found_again_in_many_unequal_sets() -> None:
    draws = np.random.default_rng(1)
    sets = draws.normal(0.5, 0.03, 4000)
    groups = [draws.normal(mean, 0.02, 2 + index % 3).tolist() for index, mean in enumerate(sets)]
    found = part_variance(groups)
    assert found is not None
    assert found.over_sets == pytest.approx(0.03, rel=0.05)
    assert found.over_students == pytest.approx(0.02, rel=0.05)


def test_the_interval_over_images_is_scipys() -> None:
    draws = np.random.default_rng(3)
    differences = draws.choice([-1.0, -0.5, 0.0, 0.5, 1.0], 2000, p=[0.05, 0.1, 0.6, 0.15, 0.1])
    found = resample_images(differences)
    theirs = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=9999, rng=draws, batch=500)
    low, high = theirs.confidence_interval
    # Two bootstraps of 9,999 differ by a few percent of the width.
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert found.mean == pytest.approx(differences.mean())
    assert found.images == 2000


def test_the_same_images_in_any_order_give_the_same_interval() -> None:
    differences = np.repeat([-1.0, 0.0, 1.0], [30, 300, 60])
    assert resample_images(differences) == resample_images(differences[::-1].copy())
    assert resample_images(np.zeros(10)).low == resample_images(np.zeros(10)).high == 0
    with pytest.raises(ValueError, match="an image"):
        resample_images(np.zeros(0))


def test_images_of_many_values_are_drawn_in_blocks_and_added_in_one_order() -> None:
    differences = np.random.default_rng(5).normal(0.01, 1.0, 3000)
    tracemalloc.start()
    found = resample_images(differences, resamples=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20, "one draw of all would take 23 MiB and more"
    total = 0.0
    for value in sorted(differences.tolist()):
        total += value
    assert found.mean == total / 3000
    assert found.low < found.mean < found.high
    # A block has as many draws as fit: several give what one draw of all gives.
    values = np.unique(differences)
    content = hashlib.sha256(values.tobytes() + np.ones(3000, dtype=np.int64).tobytes()).digest()
    draws = np.random.Generator(np.random.PCG64(int.from_bytes(content[:16], "little")))
    means = draws.multinomial(3000, np.ones(3000) / 3000, size=1000) @ values / 3000
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)
