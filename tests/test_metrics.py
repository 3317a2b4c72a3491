"""HLR, IOR, LRS and ARS: published values of CIFAR-10 at 10 images per class, as fractions."""

from __future__ import annotations

import math

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.metrics import NEUTRAL, ars, hlr, ior, lrs

PUBLISHED = {
    "DC": (0.3670, 0.1854, 0.2320),
    "DSA": (0.3514, 0.1962, 0.2372),
    "DM": (0.3937, 0.1612, 0.2222),
    "MTT": (0.2373, 0.3090, 0.2845),
    "DATM": (0.2684, 0.3505, 0.2868),
    "SRe2L": (0.6782, -0.0577, 0.1380),
    "RDED": (0.5065, 0.0111, 0.1756),
    "D4M": (0.3988, 0.0912, 0.2083),
}
"""Method -> HLR, IOR, LRS at equal weights."""


@pytest.mark.parametrize("method", PUBLISHED)
def test_the_score_of_published_accuracies(method: str) -> None:
    recovery, improvement, score = PUBLISHED[method]
    accuracies = (0.85, 0.85 - recovery, 0.4 + improvement, 0.4)
    assert hlr(*accuracies[:2]) == pytest.approx(recovery)
    assert ior(*accuracies[2:]) == pytest.approx(improvement)
    assert lrs(*accuracies) == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize(("advantage", "score"), [(0.0, 0.2689), (-0.5, 0.1015), (0.5, 0.5449)])
def test_fixed_points(advantage: float, score: float) -> None:
    assert ars(0.5 + advantage, 0.5, 0.5 + advantage, 0.5) == pytest.approx(score, abs=5e-5)
    assert lrs(0.5, 0.5 + advantage, 0.5 + advantage, 0.5) == pytest.approx(score, abs=5e-5)


def test_the_ends_are_0_and_1_and_the_neutral_value_lies_between() -> None:
    assert (ars(0, 1, 0, 1), ars(1, 0, 1, 0)) == pytest.approx((0, 1))
    assert lrs(0.3, 0.3, 0.7, 0.7) == NEUTRAL


def test_weights_move_between_the_two_parts() -> None:
    assert lrs(0.9, 0.1, 0.5, 0.5, weight=1) == NEUTRAL
    assert ars(0.8, 0.3, 0.5, 0.5, weight=0) == NEUTRAL
    assert ars(0.8, 0.3, 0.1, 0.5, weight=1) == pytest.approx(0.5449, abs=5e-5)


@pytest.mark.parametrize("position", range(4))
def test_percent_is_refused_with_the_fraction_that_was_meant(position: int) -> None:
    accuracies = [0.5] * 4
    accuracies[position] = 47.5
    for score in (lrs, ars):
        with pytest.raises(RequestError, match=r"= 47\.5: accuracies are fractions.*0\.475"):
            score(*accuracies)


@pytest.mark.parametrize("value", [-0.1, math.nan, 1000.0, math.inf])
def test_what_is_no_fraction_is_refused(value: float) -> None:
    with pytest.raises(RequestError, match=r"set_hard = .*0\.\.1"):
        hlr(0.5, value)
    with pytest.raises(RequestError, match=r"weight = "):
        lrs(0.5, 0.5, 0.5, 0.5, weight=value)
