"""Main effects of knobs: known ones are found, with settings missing too."""

from __future__ import annotations

import numpy as np
import pytest

from rethinkdc.statistics import choose_design, fit_effects

DESIGN = choose_design((3, 2, 2, 2, 2), 24)


def values(rows: tuple[tuple[int, ...], ...]) -> list[float]:
    """The first knob adds 0, 4 or 5, the second 3; the others nothing."""
    return [(0.0, 4.0, 5.0)[row[0]] + 3.0 * row[1] + 7.0 for row in rows]


def means(weights: tuple[tuple[float, ...], ...], results: list[float]) -> list[float]:
    return [float(np.dot(one, results)) for one in weights]


def test_in_an_orthogonal_array_means_are_those_of_the_settings_at_a_level() -> None:
    results = values(DESIGN.rows)
    effects = fit_effects(DESIGN.rows, results)
    for knob, effect in enumerate(effects):
        assert effect is not None
        plain = [
            np.mean([value for row, value in zip(DESIGN.rows, results, strict=True) if row[knob] == level])
            for level in effect.levels
        ]
        assert means(effect.weights, results) == pytest.approx(plain)
        assert all(sum(weight) == pytest.approx(1.0) for weight in effect.weights)
    shares = [effect.share for effect in effects if effect]
    first, second = np.var([0, 4, 5]), np.var([0, 3])
    assert shares == pytest.approx([first / (first + second), second / (first + second), 0, 0, 0], abs=1e-9)


def test_settings_that_are_missing_do_not_bias_a_sum_of_effects() -> None:
    rows = tuple(row for place, row in enumerate(DESIGN.rows) if place not in (0, 5, 6, 17))
    results = values(rows)
    first, second, third, *_ = fit_effects(rows, results)
    assert first is not None
    assert second is not None
    assert third is not None
    assert np.diff(means(first.weights, results)) == pytest.approx([4.0, 1.0])
    assert np.diff(means(second.weights, results)) == pytest.approx([3.0])
    assert np.diff(means(third.weights, results)) == pytest.approx([0.0], abs=1e-9)


def test_knobs_that_the_settings_do_not_tell_apart_have_no_effect_told() -> None:
    together = fit_effects([(0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1)], [0.0, 1.0, 0.5, 1.5])
    assert together[:2] == [None, None]
    assert together[2] is not None
    assert fit_effects([(0, 0), (0, 1)], [0.0, 1.0])[0] is None, "one level alone has no effect"
    assert fit_effects([(0,), (1,)], [2.0, 2.0])[0] is not None


def test_means_are_not_told_where_knobs_together_stand_for_the_mean() -> None:
    """The third knob is crossed with the others, and effects of the first two sum to one constant for all."""
    rows = [(first, second, third) for first, second in ((0, 0), (1, 0), (2, 1)) for third in (0, 1)]
    assert fit_effects(rows, [5.0, 6.0] * 3) == [None, None, None]
    complete = [(first, second, third) for first in (0, 1, 2) for second in (0, 1) for third in (0, 1)]
    told = fit_effects(complete, [5.0, 6.0] * 6)[2]
    assert told is not None
    assert means(told.weights, [5.0, 6.0] * 6) == pytest.approx([5.0, 6.0])
