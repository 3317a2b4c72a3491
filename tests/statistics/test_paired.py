"""Spreads, paired differences and families, beside scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from rethinkdc.statistics import CONFIDENCE, adjust_holm, bound_share, compare_pairs, describe, judge_family
from rethinkdc.statistics.families import reject_holm
from rethinkdc.statistics.paired import judge_means


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.01, 0.02, shape)


def test_one_value_has_no_deviation_and_one_pair_no_interval() -> None:
    assert (describe([0.5]).mean, describe([0.5]).deviation, describe([0.5]).n) == (0.5, None, 1)
    one = compare_pairs([0.1])
    assert (one.mean, one.deviation, one.half_width, one.p, one.n) == (0.1, None, None, None, 1)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_a_paired_difference_is_scipys(n: int) -> None:
    ours, random = draws(n, n) + 0.5, draws(n + 1, n) + 0.48
    found = compare_pairs((ours - random).tolist())
    paired, alone = stats.ttest_rel(ours, random), stats.ttest_1samp(ours - random, 0.0)
    assert found.p == pytest.approx(paired.pvalue, rel=1e-9)
    low, high = alone.confidence_interval(0.95)
    assert found.half_width is not None
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high), rel=1e-9)
    assert found.deviation == pytest.approx(np.std(ours - random, ddof=1))


def test_equal_differences_have_no_interval() -> None:
    for values in ([0.1, 0.1, 0.1], [33 / 360, 33 / 360], [0.0, 0.0]):
        found = compare_pairs(values)
        assert found.mean == pytest.approx(values[0])
        assert found.half_width is None
        assert found.p is None
    assert judge_means([0.1, 0.0], [0.0, 0.0], [3, 3]).tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).uniform(0, 0.2, 9).round(2)
    assert adjust_holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


def test_holm_steps_down_as_worked_by_hand() -> None:
    # 4 x .01, 3 x .03, then not less than that, and ties stay ties.
    assert adjust_holm([0.03, 0.01, 0.04, 0.03]) == pytest.approx([0.09, 0.04, 0.09, 0.09])
    assert adjust_holm([0.9, 0.8]).tolist() == [1, 1]
    assert adjust_holm([]).tolist() == []


def test_a_family_counts_the_claims_that_it_makes() -> None:
    family = judge_family([compare_pairs(values) for values in ([0.10, 0.06, 0.14], [0.1], [0.01, 0.02, 0.05])])
    assert (family[1].holm_p, family[1].simultaneous) == (None, None)
    # Two claims: each interval at 97.5 %, whose t with two degrees of freedom is 6.2053.
    assert family[0].simultaneous == pytest.approx(6.2053473 * 0.04 / np.sqrt(3))
    p = [one.p for one in family if one.p is not None]
    assert [one.holm_p for one in family if one.p is not None] == pytest.approx(multipletests(p, method="holm")[1])
    alone = judge_family([compare_pairs([0.10, 0.06, 0.14])])[0]
    assert (alone.holm_p, alone.simultaneous) == pytest.approx((alone.p, alone.half_width))


@pytest.mark.parametrize(("found", "count"), [(0, 10), (9, 10), (10, 10), (57, 100)])
def test_shares_are_wilsons(found: int, count: int) -> None:
    interval = stats.binomtest(found, count).proportion_ci(0.95, method="wilson")
    assert bound_share(found, count) == pytest.approx((interval.low, interval.high), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_what_holm_rejects_is_told_by_one_p(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Ties and all sizes: some families are rejected as a whole, some not at all.
    p = np.round(random.uniform(0, 1, random.integers(1, 60)) ** random.integers(1, 12), random.integers(2, 9))
    rejected = adjust_holm(p) <= 1 - CONFIDENCE
    assert ((p < reject_holm(p, len(p))) == rejected).all()
    small = p[p <= 1 - CONFIDENCE]
    assert ((p < reject_holm(small, len(p))) == rejected).all()
