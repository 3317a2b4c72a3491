"""The page on studies lists every table of the paper that ships and every file of published values, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from rethinkdc.studies.shipped import shipped_reported, shipped_studies

PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")


def listed(heading: str, column: int) -> set[str]:
    """The code words in a column of the table below a heading."""
    rows = re.findall(r"^\|.*\|$", PAGE.partition(heading)[2].partition("\n## ")[0], flags=re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([\w-]+)`", row.split("|")[column])}


def test_the_page_lists_the_tables_that_ship() -> None:
    shipped = {name.removeprefix("paper/") for name in shipped_studies() if name.startswith("paper/")}
    assert listed("# Studies", 2) == shipped


def test_the_page_lists_the_published_values_that_ship() -> None:
    assert listed("## Published values", 1) == set(shipped_reported())
