"""`rethinkdc verify`: a line for what is wrong, a summary, and an exit code that a script can ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ran(cli: Callable[..., Any], tmp_path: Path) -> Path:
    """The file of one record in ./records."""
    assert cli("run", "-c", "random", "-d", "digits", "--ipc", "1", "--set", "training.steps=2").code == 0
    (file,) = (tmp_path / "records").glob("*/0001.json")
    return file


def test_what_holds_ends_with_0_and_what_does_not_with_1(cli: Callable[..., Any], ran: Path) -> None:
    done = cli("verify")
    assert (done.code, done.out) == (0, "1 record: 1 verified.\n")
    replayed = cli("verify", ran.parent.name[:8], "--replay")
    assert replayed.code == 0
    assert replayed.out.splitlines() == [
        f"{ran.parent.name}/0001.json: bit-equal",
        "1 record: 1 verified; replays: 1 bit-equal.",
    ]
    ran.write_text(ran.read_text().replace('"top1": 0.', '"top1": 0.9'))
    done = cli("verify", "records")
    assert done.code == 1
    fault, summary = done.out.splitlines()
    assert fault.startswith(f"{ran.parent.name}/0001.json: is not as a run wrote it: its seal is ")
    assert summary == "1 record: 0 verified, 1 faulty."
    told = cli("verify", "records", "--json")
    assert told.code == 1
    content = json.loads(told.out)
    assert (content["holds"], content["counts"]["faulty"]) == (False, 1)


def test_a_wrong_place_is_a_wrong_request(cli: Callable[..., Any]) -> None:
    for words in (("verify",), ("verify", "nowhere"), ("verify", "--from-scratch")):
        done = cli(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Error: ")
