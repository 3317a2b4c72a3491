"""How many pairs a difference needs, against an independent implementation and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, ttest_1samp
from statsmodels.stats.power import TTestPower

from rethinkdc.statistics import Spread
from rethinkdc.statistics.power import ASSURANCE, Deviation, paired_power, pairs_needed, pool_deviations


@pytest.mark.parametrize("effect", [0.05, 0.2, 0.5, 1.0, 2.0, 3.5])
def test_the_pairs_agree_with_statsmodels(effect: float) -> None:
    wanted = TTestPower().solve_power(effect_size=effect, power=0.8, alpha=0.05, alternative="two-sided")
    assert pairs_needed(effect * 0.013, 0.013) == max(2, math.ceil(float(wanted)))


@pytest.mark.parametrize("pairs", [2, 3, 5, 20, 400])
@pytest.mark.parametrize("effect", [0.01, 0.3, 1.0, 4.0])
def test_the_power_agrees_with_statsmodels(effect: float, pairs: int) -> None:
    # Its two-sided power is not a number where the far tail underflows; the near one is all there is then.
    side = "two-sided" if effect * math.sqrt(pairs) < 5 else "larger"
    wanted = float(TTestPower().power(effect, pairs, 0.05 if side == "two-sided" else 0.025, alternative=side))
    assert paired_power(-effect, 1.0, pairs) == pytest.approx(wanted, abs=1e-9)


def test_so_many_pairs_find_the_difference_in_four_of_five_studies() -> None:
    """20,000 studies of normal differences; three standard errors of a proportion are 0.0085."""
    pairs = pairs_needed(0.01, 0.015)
    drawn = np.random.Generator(np.random.PCG64(1)).normal(0.01, 0.015, (20_000, pairs))
    found = float(np.mean(ttest_1samp(drawn, 0, axis=1).pvalue < 0.05))
    assert found == pytest.approx(paired_power(0.01, 0.015, pairs), abs=0.0085)
    assert paired_power(0.01, 0.015, pairs - 1) < 0.8 <= paired_power(0.01, 0.015, pairs)


def test_a_large_difference_is_found_by_two_pairs_and_none_is_no_question() -> None:
    assert pairs_needed(1.0, 1e-9) == pairs_needed(1.0, 0.0) == 2
    assert paired_power(1.0, 1e-6, 5) == 1.0
    # Where the distribution fails its limit takes over, without a step.
    assert paired_power(36.9, math.sqrt(2), 2) == pytest.approx(paired_power(37.1, math.sqrt(2), 2), abs=5e-4)
    with pytest.raises(ValueError, match="above 0"):
        pairs_needed(0.0, 1.0)
    with pytest.raises(ValueError, match="not to be told"):
        pairs_needed(1e-9, 1.0)


@pytest.mark.parametrize("freedom", [1, 2, 4, 30])
def test_the_bound_is_that_of_the_chi_square_distribution(freedom: int) -> None:
    wanted = 0.02 * math.sqrt(freedom / chi2.ppf(1 - ASSURANCE, freedom))
    assert Deviation(0.02, freedom).bound == pytest.approx(wanted, rel=1e-9)


def test_the_bound_holds_in_four_of_five_samples() -> None:
    drawn = np.random.Generator(np.random.PCG64(2)).normal(0, 1, (20_000, 4))
    held = float(np.mean([Deviation(value, 3).bound >= 1 for value in drawn.std(axis=1, ddof=1).tolist()]))
    assert held == pytest.approx(0.8, abs=0.0085)


def test_pooled_variances_are_weighted_by_their_degrees_of_freedom() -> None:
    pooled = pool_deviations([Spread(0.3, 0.01, 3), Spread(0.5, 0.02, 5), Spread(0.1, None, 1)])
    assert pooled is not None
    assert pooled.freedom == 6
    assert pooled.value == pytest.approx(math.sqrt((2 * 0.01**2 + 4 * 0.02**2) / 6))
    assert pool_deviations([Spread(0.1, None, 1)]) is None


@pytest.mark.parametrize("claims", [1, 3, 10, 30])
def test_the_power_is_a_number_at_every_shift_and_falls_with_the_claims(claims: int) -> None:
    for pairs in (2, 3, 5):
        powers = [paired_power(effect / 20, 1.0, pairs, claims) for effect in range(1, 600)]
        assert all(0 <= power <= 1 for power in powers)
    wanted = float(TTestPower().power(0.7, 12, 0.05 / claims, alternative="two-sided"))
    assert paired_power(0.7, 1.0, 12, claims) == pytest.approx(wanted, abs=1e-9)
    assert pairs_needed(0.5, 1.0, claims) >= pairs_needed(0.5, 1.0)
