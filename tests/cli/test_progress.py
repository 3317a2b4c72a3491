"""Bars of one run: the outer ones tell how far all parts have come, not only the one that is being made."""

from __future__ import annotations

import re

import pytest
from rich.progress import Progress

from rethinkdc.cli import progress
from rethinkdc.cli.progress import Bars, waiting


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


def test_what_is_waited_for_is_one_line_where_nothing_redraws(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("trying kills"):
        assert capsys.readouterr().err == "trying kills\n"
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_how_long_it_has_been(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_redraws", lambda _: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with waiting("trying kills"):
        print("42")
    shown = capsys.readouterr()
    assert shown.out == "42\n"
    assert "trying kills" in shown.err
    assert re.search(r"\d:\d\d:\d\d", shown.err)
