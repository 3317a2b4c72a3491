"""Kendall's tau against scipy, and what the jackknife makes of several orders."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from rethinkdc.statistics import agree, kendall_tau


def test_tau_is_that_of_scipy_with_ties_too() -> None:
    draws = np.random.default_rng(0)
    for _ in range(100):
        one, other = draws.integers(0, 5, (2, int(draws.integers(2, 9))))
        expected = scipy.stats.kendalltau(one, other).statistic
        found = kendall_tau(one, other)
        assert (found is None) == math.isnan(expected)
        assert found is None or found == pytest.approx(expected)


def test_results_that_differ_by_rounding_are_tied() -> None:
    assert kendall_tau([0.1 + 0.2, 0.3, 0.5], [1, 2, 3]) == kendall_tau([0.3, 0.3, 0.5], [1, 2, 3])
    assert kendall_tau([1, 1, 1], [1, 2, 3]) is None


def test_the_mean_is_over_pairs_and_its_interval_by_leaving_one_order_out() -> None:
    orders = np.random.default_rng(1).normal(size=(6, 5))
    taus = {(a, b): scipy.stats.kendalltau(orders[a], orders[b]).statistic for a in range(6) for b in range(a + 1, 6)}
    without = [np.mean([tau for pair, tau in taus.items() if one not in pair]) for one in range(6)]
    error = math.sqrt(5 / 6 * np.sum((np.array(without) - np.mean(without)) ** 2))
    found = agree(list(orders))
    assert found is not None
    assert found.mean == pytest.approx(np.mean(list(taus.values())))
    assert (found.least, found.largest) == pytest.approx((min(taus.values()), max(taus.values())))
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 5) * error)


def test_orders_that_all_agree_and_two_of_them_have_no_interval() -> None:
    same = agree([[1, 2, 3]] * 4)
    assert same is not None
    assert (same.mean, same.half_width, same.orders) == (1.0, None, 4)
    two = agree([[1, 2, 3], [3, 2, 1]])
    assert two is not None
    assert (two.mean, two.half_width) == (-1.0, None)
    assert agree([[1, 2]]) is None
    assert agree([[1, 1], [2, 2]]) is None
