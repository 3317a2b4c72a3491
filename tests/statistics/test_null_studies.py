"""Two thousand studies in which no method is better than another: how often boards would claim that one is."""

from __future__ import annotations

import numpy as np
import pytest

from rethinkdc.statistics import adjust_holm
from rethinkdc.statistics.paired import judge_means

STUDIES, METHODS, SEEDS = 2000, 8, 5
ALPHA = 0.05
_MARGIN = 3 * np.sqrt(ALPHA * (1 - ALPHA) / STUDIES)
"""Three standard errors of an error rate of 5 %. The draws are seeded: what passes once passes always."""


def studies(seed: int, students: int = 1) -> np.ndarray:
    """Results [studies, methods, seeds]: seeds differ in how hard they are, methods in nothing."""
    draws = np.random.default_rng(seed)
    hard = draws.normal(0, 0.02, (STUDIES, 1, SEEDS))
    return 0.5 + hard + draws.normal(0, 0.01, (STUDIES, METHODS, SEEDS))


def p_of(differences: np.ndarray) -> np.ndarray:
    return judge_means(differences.mean(-1), differences.std(-1, ddof=1), SEEDS)


@pytest.mark.parametrize("noise", [1.0, 0.1])
def test_claims_against_random_err_in_one_study_of_twenty(noise: float) -> None:
    """Family-wise, although all methods are compared with one random; ``noise``: how much random itself varies."""
    results = studies(1)
    random = 0.5 + (results[:, :1] - 0.5) * noise
    p = p_of(results[:, 1:] - random)
    wrong = np.mean([(adjust_holm(row) <= ALPHA).any() for row in p])
    assert wrong <= ALPHA + _MARGIN
    # The tests that are not corrected err far more often: the correction is what holds the rate.
    assert np.mean((p <= ALPHA).any(axis=1)) > 2 * ALPHA


def test_bands_split_equal_methods_in_at_most_one_study_of_twenty() -> None:
    results = studies(2)
    upper = np.triu_indices(METHODS, 1)
    p = p_of(results[:, upper[0]] - results[:, upper[1]])
    wrong = np.mean([(adjust_holm(row) <= ALPHA).any() for row in p])
    assert wrong <= ALPHA + _MARGIN
    # Comparing with the best of the data as if it had been named before errs more often.
    best = results.mean(-1).argmax(1)
    beside = p_of(results[np.arange(STUDIES), best][:, None] - results)
    beside[np.arange(STUDIES), best] = 1
    assert np.mean([(adjust_holm(row) <= ALPHA).any() for row in beside]) > wrong


def test_intervals_cover_no_difference_together() -> None:
    results = studies(3)
    differences = results[:, 1:] - results[:, :1]
    from scipy.special import stdtrit

    half = stdtrit(SEEDS - 1, 1 - ALPHA / 2 / (METHODS - 1)) * differences.std(-1, ddof=1) / np.sqrt(SEEDS)
    missed = np.mean((np.abs(differences.mean(-1)) > half).any(axis=1))
    assert missed <= ALPHA + _MARGIN
