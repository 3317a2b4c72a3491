"""The page on scale names every selector and score, and its arithmetic is the protocol's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rethinkdc.registry.registry import Registry
from tests.benchmarks.scale.arithmetic import lines_of
from tests.benchmarks.scale.everything import scenarios
from tests.benchmarks.scale.selection import registered

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
TEXT = PAGE.read_text(encoding="utf-8")
MEASURED, _, NOT_MEASURED = TEXT.partition("## Not measured")


def _names(text: str) -> set[str]:
    """What code marks begin with: names of methods, without their parameters and sizes."""
    return set(re.findall(r"`([a-z0-9-]+)[^`]*`", text))


@pytest.mark.parametrize("kind", ["compressor", "score"])
def test_every_registered_method_is_measured_or_named_as_not(kind: str) -> None:
    wanted, not_measured = set(registered(kind)), NOT_MEASURED.partition("\n## ")[0]
    listed = {one for line in MEASURED.splitlines() if line.startswith("|") for one in _names(line)}
    assert wanted <= listed | _names(not_measured)


def test_every_scenario_of_selectors_and_scores_has_its_line() -> None:
    lines = {line.split("|")[1].strip() for line in MEASURED.splitlines() if line.startswith("| `")}
    wanted = {f"`{one.name}`" for one in scenarios() if one.group in ("selectors", "unbalanced", "scores")}
    assert wanted <= lines


def test_its_arithmetic_is_that_of_the_protocol_and_the_studies() -> None:
    lines = TEXT.splitlines()
    assert [line for line in lines_of(Registry()) if line and line not in lines] == []


def test_each_figure_says_whether_it_was_measured() -> None:
    rows = [line for line in MEASURED.splitlines() if line.startswith("| `") and "classes |" in line]
    assert all(line.rstrip(" |").endswith(("measured", "classes")) for line in rows)


def test_the_page_says_where_and_when() -> None:
    for word in ("AMD EPYC", "24 GB", "torch 2.14", "python -m tests.benchmarks.scale measure"):
        assert word in TEXT
