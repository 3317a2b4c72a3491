"""Bars of one run: the outer ones tell how far all parts have come, not only the one that is being made."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from rethinkdc.cli.progress import Bars


def test_an_outer_bar_moves_with_those_within(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bars, "_redraws", True)
    bars, shown = Bars(), list[list[float]]()

    def look() -> None:
        assert isinstance(bars._bars, Progress)
        shown.append([task.completed for task in bars._bars.tasks])

    with bars.task("parts", 4) as parts:
        parts(1)
        with bars.task("class 2 of 4", 100) as steps:
            steps(50)
            look()
            with bars.task("statistics", 10) as rows:
                rows(5)
                look()
            steps(50)
            look()
        parts(1)
        look()
    assert shown == [[1.5, 50.0], [1.505, 50.5, 5.0], [2.0, 100.0], [2.0]]
    assert bars._open == []
