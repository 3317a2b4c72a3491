"""Commands that are killed at random moments, and what later ones make of what they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("kills.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def series(folder: Path, rounds: int, *options: str) -> list[dict[str, Any]]:
    """The rounds of a series, as its ledger tells them."""
    ledger = folder / "ledger.jsonl"
    given = ["--rounds", str(rounds), "--ledger", str(ledger), "--folder", str(folder / "kills"), *options]
    subprocess.run([sys.executable, str(SCRIPT), *given], check=True, timeout=3600, stdout=subprocess.PIPE)
    return [json.loads(line) for line in ledger.read_text().splitlines()]


def assert_nothing_is_lost(entries: list[dict[str, Any]]) -> None:
    assert [entry for entry in entries if not entry["good"]] == []
    assert sum(kill["hit"] for entry in entries for kill in entry["kills"]) > len(entries) / 3


@pytest.mark.promised
@pytest.mark.slow
def test_killed_commands_end_as_undisturbed_ones_when_they_are_run_again(tmp_path: Path) -> None:
    entries = series(tmp_path, 3, "--scenes", "dm,sweep,ranks")
    assert len(entries) == 3
    assert_nothing_is_lost(entries)
    # What is on the ledger is not done again.
    assert series(tmp_path, 3, "--scenes", "dm,sweep,ranks") == entries


@pytest.mark.slow
def test_a_hundred_rounds_of_kills_lose_nothing(tmp_path: Path) -> None:
    entries = series(tmp_path, 100, "--seed", "1")
    assert {entry["scene"] for entry in entries} >= {"dc", "tdds", "rded", "sweep-soft", "ranks-soft"}
    assert_nothing_is_lost(entries)
