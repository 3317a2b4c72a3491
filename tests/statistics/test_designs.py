"""Designs of settings: balance counted anew, what fits, and what is refused."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, product

import pytest

from rethinkdc.statistics import Design, choose_design


def balanced(rows: tuple[tuple[int, ...], ...], levels: tuple[int, ...], size: int) -> bool:
    """Whether every combination of levels of any ``size`` knobs stands in equally many rows."""
    return all(
        set(Counter(tuple(row[knob] for knob in knobs) for row in rows).values())
        == {len(rows) // math.prod(levels[knob] for knob in knobs)}
        for knobs in combinations(range(len(levels)), size)
    )


@pytest.mark.parametrize(
    ("levels", "most", "runs", "strength"),
    [
        ((2, 2, 2, 2), 8, 8, 3),
        ((2, 2, 2, 2), 15, 8, 3),
        ((2,) * 7, 8, 8, 2),
        ((2,) * 5, 16, 16, 4),
        ((2,) * 15, 16, 16, 2),
        ((3, 2, 2, 2, 2), 24, 24, 3),
        ((2,) * 6 + (3,), 24, 24, 2),
        ((3, 3, 3, 3), 9, 9, 2),
        ((4, 2, 2, 2, 2), 8, 8, 2),
        ((4,) * 5, 16, 16, 2),
        ((6, 2, 3), 36, 36, 4),
        ((2, 3, 3, 3), 20, 18, 2),
    ],
)
def test_a_fraction_is_balanced_as_it_says(levels: tuple[int, ...], most: int, runs: int, strength: int) -> None:
    design = choose_design(levels, most)
    assert len(design.rows) == len(set(design.rows)) == runs
    assert design.strength == strength
    for size in range(1, strength + 1):
        assert balanced(design.rows, levels, min(size, len(levels)))
    assert not design.whole or runs == math.prod(levels)
    assert design.rows[0] == (0,) * len(levels), "the first setting has the first level of every knob"
    assert design.rows == tuple(sorted(design.rows))


def test_a_grid_that_fits_is_run_whole() -> None:
    design = choose_design((2, 3, 2), 12)
    assert design.rows == tuple(product(range(2), range(3), range(2)))
    assert design.whole
    assert design.resolution == ""
    assert str(design) == "full factorial 2^2 3^1, 12 settings"


def test_the_name_says_how_much_of_the_grid_is_run_and_what_can_be_told() -> None:
    assert str(choose_design((2, 2, 2, 2), 8)) == (
        "orthogonal array OA(8, 2^4), a regular fraction of 16 settings, resolution IV"
    )
    assert [choose_design((2,) * 5, most).resolution for most in (8, 16)] == ["III", "V"]


@pytest.mark.parametrize(
    ("levels", "most", "least"), [((2, 2), 3, 4), ((4, 4, 2), 12, 16), ((5, 2, 2), 12, 20), ((7, 7), 48, 49)]
)
def test_too_few_settings_are_refused_with_the_least(levels: tuple[int, ...], most: int, least: int) -> None:
    with pytest.raises(ValueError, match=f"{most} settings are too few .*: {least} are needed"):
        choose_design(levels, most)
    assert len(choose_design(levels, least).rows) == least


def test_strength_is_counted_and_not_claimed() -> None:
    assert Design((2, 2), ((0, 0), (0, 1), (1, 0))).strength == 0
    assert Design((2, 2), ((0, 0), (1, 1))).strength == 1
