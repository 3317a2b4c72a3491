"""How a report writes numbers and names, marks axes and folds what is long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rethinkdc.reports.figures import Unit
from rethinkdc.reports.folding import fold, part
from rethinkdc.reports.palette import DARK, LIGHT, MARKERS
from rethinkdc.reports.texts import write_large, write_number, write_p
from rethinkdc.reports.ticks import axis_of_budgets, axis_of_ratios


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.342, "fraction", "34.20"), (12345.0, "bytes", "12.3 kB"), (999.7, "bytes", "1000 B"), (0.0, "bytes", "0 B"),
     (1.5e6, "images", "1.5 M"), (12.34, "seconds", "12.3"), (0.26894, "number", "0.2689")],
)  # fmt: skip
def test_a_number_is_written_in_its_unit(value: float, unit: Unit, text: str) -> None:
    assert write_number(value, unit) == text


def test_a_sign_and_a_small_chance() -> None:
    assert write_number(0.05, "fraction", sign=True) == "+5.00"
    assert (write_p(0.0004), write_p(0.0321)) == ("< 0.001", "0.032")
    assert write_large(-2500, "B") == "-2.5 kB"


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.integers(8, 30))
def test_folding_keeps_lines_short_and_loses_nothing_of_a_short_name(name: str, width: int) -> None:
    lines = fold(name, width)
    assert 1 <= len(lines) <= 3
    assert "".join(part(name)) == name or not name
    if not lines[-1].endswith("…"):
        assert "".join("".join(lines).split()) == "".join(name.split())


def test_a_name_breaks_behind_what_parts_its_words() -> None:
    assert fold("pca:score=[aum:space=prob],grid=3 + soft") == ["pca:score=[aum:space=", "prob],grid=3 + soft"]


def test_axes_are_marked_at_round_numbers_and_at_just_the_budgets() -> None:
    assert [text for _, text in axis_of_ratios("bytes", "bytes", [650, 2.4e7]).ticks][:2] == ["100 B", "1 kB"]
    assert [text for _, text in axis_of_ratios("bytes", "bytes", [6e3, 33e3]).ticks] == [
        "5 kB",
        "10 kB",
        "20 kB",
        "50 kB",
    ]
    assert [text for _, text in axis_of_budgets("ipc", [10, 1, 10, 50]).ticks] == ["1", "10", "50"]


def test_colours_and_shapes_differ_from_paper_and_from_each_other() -> None:
    """Contrast of at least 2.2 to the paper, where 3 is asked of lines that stand alone: every line has a shape too."""
    for colours, paper in ((LIGHT, "#ffffff"), (DARK, "#16191d")):
        assert len(set(colours)) == len(colours) == 7
        assert all(contrast(colour, paper) > 2.2 for colour in colours)
    assert len(set(MARKERS)) == 8


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, 1.4.3."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
