"""``check-plugin`` prints a verdict for each rule; what was kept is told by listings until the code changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any) -> None:
    """What is noted here is not told by listings of other tests."""
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "own-cache"))


def test_a_method_is_checked_and_marked(cli: Callable[..., Any]) -> None:
    assert not [row for row in json.loads(cli("list-plugins", "--kind", "score", "--json").out) if row["checked"]]
    done = cli("check-plugin", "random", "--kind", "score", "--quick")
    assert done.code == 0, done.err
    assert "trying repeats" in done.err.splitlines()
    lines = done.out.splitlines()
    assert lines[0] == "score random"
    assert any(line.split()[:2] == ["kept", "repeats"] and " s" in line for line in lines)
    assert "depends on the seeds of: set" in done.out
    assert lines[-1] == "All rules that apply are kept."
    rows = json.loads(cli("list-plugins", "--kind", "score", "--json").out)
    assert {row["name"]: row["checked"] for row in rows if row["checked"]} == {"random": "quick"}
    assert "checked in its quick part" in " ".join(cli("list-plugins", "--kind", "score").out.split())


def test_a_broken_rule_ends_with_1_and_takes_no_mark(cli: Callable[..., Any]) -> None:
    done = cli("check-plugin", "random", "--kind", "score", "--quick", "--varies-with", "proxy")
    assert done.code == 1
    assert "BROKEN  seeds" in done.out
    assert "gives the same result under another proxy seed" in done.out
    assert "Not kept, or not tried, by: score random." in done.out
    assert not [row for row in json.loads(cli("list-plugins", "--kind", "score", "--json").out) if row["checked"]]


def test_json_holds_the_verdicts_and_nothing_else(cli: Callable[..., Any]) -> None:
    done = cli("check-plugin", "digits-hard", "--quick", "--json")
    assert done.code == 0
    (report,) = json.loads(done.out)
    assert (report["kind"], report["name"], report["quick"], report["kept"]) == ("protocol", "digits-hard", True, True)
    assert {verdict["outcome"] for verdict in report["verdicts"]} == {"kept"}
    assert set(report["verdicts"][0]) == {"rule", "demands", "outcome", "differs", "told", "seconds"}


def test_a_wrong_request_is_refused(cli: Callable[..., Any]) -> None:
    assert cli("check-plugin", "nothing-of-the-kind").code == 2
    done = cli("check-plugin", "random", "--varies-with", "sets")
    assert (done.code, "'sets' is no seed axis" in done.err) == (2, True)
