"""Settings by sets by students: components that are known, intervals that are Student's, and the part of the images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from pandas import DataFrame
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from rethinkdc.statistics import part_crossed, weigh
from rethinkdc.statistics.crossed import _components, _square

Table = NDArray[np.float64]


def draw(settings: int, sets: int, students: int, *, tables: int = 1, seed: int = 0, **deviations: float) -> Table:
    """Tables of independent normal effects with these standard deviations, float64 [tables, ...]."""
    draws = np.random.default_rng(seed)
    shapes = {
        "setting": (tables, settings, 1, 1),
        "made": (tables, 1, sets, 1),
        "crossed": (tables, settings, sets, 1),
        "student": (tables, 1, sets, students),
        "rest": (tables, settings, sets, students),
    }
    sizes = {name: deviations.get(name, 0.0) for name in shapes}
    whole: Table = sum(
        (sizes[name] * draws.normal(size=shape) for name, shape in shapes.items()),
        start=np.zeros((tables, settings, sets, students)),
    )
    return whole


def test_components_are_those_that_the_tables_were_made_of() -> None:
    made: dict[str, Any] = {"setting": 0.3, "made": 0.2, "crossed": 0.1, "student": 0.15, "rest": 0.05}
    found = _components(_square(draw(8, 3, 2, tables=4000, **made)))
    assert {name: float(value.mean()) for name, value in found.items()} == pytest.approx(
        {"setting": 0.09, "set": 0.04 + 0.01, "student": 0.0225 + 0.0025}, rel=0.05
    )
    alone = _components(_square(draw(8, 3, 1, tables=4000, setting=0.3, made=0.2, rest=0.05)))
    assert {name: float(value.mean()) for name, value in alone.items()} == pytest.approx(
        {"setting": 0.09, "set": 0.04 + 0.0025}, rel=0.05
    )


def test_mean_squares_are_those_of_an_independent_analysis_of_variance() -> None:
    table = draw(4, 3, 2, seed=3, setting=1.0, made=1.0, crossed=1.0, student=1.0, rest=1.0)[0]
    places = np.indices(table.shape).reshape(3, -1)
    data = DataFrame({"y": table.ravel(), "setting": places[0], "made": places[1], "student": places[2]})
    fit = ols("y ~ C(setting) * C(made) + C(made):C(student)", data).fit()
    expected, squares = anova_lm(fit), _square(table)
    for name, found in (
        ("C(setting)", squares.settings),
        ("C(made)", squares.sets),
        ("C(setting):C(made)", squares.crossed),
        ("C(made):C(student)", squares.students),
        ("Residual", squares.rest),
    ):
        assert float(found) == pytest.approx(expected.loc[name, "mean_sq"]), name  # type: ignore[arg-type]
    assert list(squares.freedom.values()) == [3, 2, 6, 3, 9]


def test_a_source_alone_has_the_whole_share() -> None:
    assert {name: part.share for name, part in part_crossed(draw(6, 3, 2, setting=1.0)[0]).items()} == pytest.approx(
        {"setting": 1.0, "set": 0.0, "student": 0.0}
    )
    assert part_crossed(draw(6, 3, 2, made=1.0)[0])["set"].share == pytest.approx(1.0)
    assert part_crossed(draw(30, 3, 20, student=1.0)[0])["student"].share > 0.9
    assert part_crossed(np.full((4, 2, 2), 0.7)) == {}


def test_intervals_of_shares_hold_what_is_there_and_are_wide_with_two_sets() -> None:
    made: dict[str, Any] = {"setting": 0.3, "made": 0.2, "crossed": 0.1, "student": 0.15, "rest": 0.05}
    true = {"setting": 0.09 / 0.165, "set": 0.05 / 0.165, "student": 0.025 / 0.165}
    held = dict.fromkeys(true, 0)
    for table in draw(8, 2, 2, tables=60, seed=5, **made):
        for name, part in part_crossed(table).items():
            held[name] += part.low <= true[name] <= part.high
            assert part.low <= part.high
    assert min(held.values()) >= 52
    few, many = (part_crossed(draw(8, sets, 2, seed=7, **made)[0])["set"] for sets in (2, 40))
    assert few.high - few.low > 2 * (many.high - many.low)


def test_the_same_table_has_the_same_intervals() -> None:
    table = draw(5, 2, 2, seed=9, setting=1.0, made=0.5, rest=0.3)[0]
    assert part_crossed(table) == part_crossed(table.copy())


def test_what_test_images_add_is_taken_out_of_the_other_shares() -> None:
    """Sources of which nothing is left but the draw of images."""
    found: dict[str, float] = {}
    count, tables = 200, 60
    for number in range(tables):
        draws = np.random.default_rng(number)
        fixed = draw(6, 3, 2, seed=number, setting=0.3, made=0.2, student=0.15)[0]
        apart = 3 * draws.normal(size=(count, 1, 1, 1)) + 2 * draws.normal(size=(count, 6, 1, 1))
        images = fixed + apart + draws.normal(size=(count, 6, 3, 2))
        for name, part in part_crossed(images.mean(axis=0), images).items():
            found[name] = found.get(name, 0.0) + part.variance / tables
    assert found == pytest.approx(
        {"setting": 0.09, "set": 0.04, "student": 0.0225, "images": (9 + 4 + 1) / count}, rel=0.25
    )
    noise = 3 * np.random.default_rng(1).normal(size=(400, 4, 2, 2))
    assert part_crossed(noise.mean(axis=0), noise)["images"].share > 0.6


def test_the_mean_of_all_settings_is_known_as_well_as_the_sets_allow() -> None:
    """Student's t over the means of the sets, however many settings there are."""
    table = draw(12, 4, 2, seed=11, setting=1.0, made=0.4, crossed=0.2, rest=0.1)[0]
    by_set = table.mean(axis=(0, 2))
    found = weigh(table, [1 / 12] * 12)
    low, high = scipy.stats.t.interval(0.95, 3, by_set.mean(), scipy.stats.sem(by_set))
    assert found.mean == pytest.approx(by_set.mean())
    assert found.half_width == pytest.approx((high - low) / 2)


def test_what_sets_have_in_common_cancels_in_a_contrast() -> None:
    """Of two settings it is the paired t interval of their difference."""
    table = draw(2, 5, 3, seed=13, setting=1.0, made=9.0, crossed=0.2, rest=0.1)[0]
    apart = table[0].mean(axis=1) - table[1].mean(axis=1)
    found = weigh(table, [1, -1])
    assert found.half_width == pytest.approx(scipy.stats.t.ppf(0.975, 4) * scipy.stats.sem(apart))
    assert found.told == (
        1 if apart.mean() > (found.half_width or 0) else -1 if -apart.mean() > (found.half_width or 0) else 0
    )


def test_equal_sets_have_no_interval() -> None:
    table = np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 2, 1))
    assert weigh(table, [0.25] * 4).half_width is None
    assert weigh(table, [0.25] * 4).told == 0


@pytest.mark.parametrize("weights", [[1 / 8] * 8, [1 / 4] * 4 + [0] * 4, [1] + [0] * 7])
def test_intervals_cover_with_two_sets(weights: list[float]) -> None:
    for made in (0.0, 0.05, 0.3):
        tables = draw(8, 2, 1, tables=600, seed=17, made=made, crossed=0.1)
        held = [abs(found.mean) <= (found.half_width or 0.0) for found in (weigh(one, weights) for one in tables)]
        assert sum(held) / len(held) > 0.925, made
