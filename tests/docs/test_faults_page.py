"""The page on faults is what the rows of the fault matrix say."""

from __future__ import annotations

from tests.faults.page import PAGE, write_page


def test_the_page_is_that_of_the_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page(), "run `python tests/faults/page.py`"
