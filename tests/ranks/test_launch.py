"""Ranks meet, and are held to be alike."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any
from unittest.mock import patch

import pytest

from rethinkdc import interruption, ranks
from rethinkdc.errors import RequestError
from rethinkdc.ranks.living import Missing
from rethinkdc.ranks.walk import met
from tests.ranks.launching import LIMIT, launch, values


def told() -> dict[str, Any]:
    before = ranks.decided(lambda: [ranks.rank(), ranks.together()], "who decides")
    ranks.meet("the middle")
    return {"decided": before, "all": met().messages.exchange(ranks.rank(), "who is there")}


def test_the_first_rank_decides_and_all_hear_each_other(tmp_path: Path) -> None:
    for one in values(launch(3, told, tmp_path)):
        assert one == {"decided": [0, False], "all": [0, 1, 2]}


def test_ranks_with_two_caches_are_refused(tmp_path: Path) -> None:
    """Of one name or of two: what counts is whether one sees what the other writes."""
    ended = launch(2, told, tmp_path, caches=[tmp_path / "one", tmp_path / "two"])
    for one in ended:
        assert f"rank 1 does not see in {tmp_path / 'two'} what rank 0 wrote to {tmp_path / 'one'}" in one.error


def other_version() -> dict[str, Any]:
    def version(package: str) -> str:
        return f"9.{ranks.rank()}" if package == "torch" else "1"

    with patch("rethinkdc.ranks.launch.version", version):
        return told()


def test_ranks_with_two_versions_are_refused(tmp_path: Path) -> None:
    for one in launch(2, other_version, tmp_path):
        assert "RequestError: Ranks must have the version of torch in common: rank 0 has 9.0, rank 1 9.1." in one.error


def other_run() -> None:
    ranks.require_alike("the run", f"key {ranks.rank()}", "Give all the same options.")


def test_ranks_with_two_runs_are_refused(tmp_path: Path) -> None:
    for one in launch(2, other_run, tmp_path):
        assert "have the run in common: rank 0 has key 0, rank 1 key 1. Give all the same options." in one.error


def refused() -> None:
    def refuse() -> None:
        raise RequestError("there is no room here")

    ranks.decided(refuse, "the place")


def test_what_the_first_rank_refuses_ends_the_others_with_its_words(tmp_path: Path) -> None:
    first, second = launch(2, refused, tmp_path)
    assert first.error == "RequestError: there is no room here"
    assert second.error == "RankError: The first rank ended, and this one with it: there is no room here"


def killed(which: int) -> None:
    ranks.meet("the begin")
    if ranks.rank() == which:
        os.kill(os.getpid(), signal.SIGKILL)
    ranks.decided(lambda: time.sleep(3), "it")
    ranks.meet("the end")


@pytest.mark.parametrize("which", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_rank_ends_those_who_wait(which: int, tmp_path: Path) -> None:
    ended = launch(2, partial(killed, which), tmp_path)
    assert ended[which].code == -signal.SIGKILL
    assert ended[1 - which].error.startswith("RankError: ")
    assert "ended" in ended[1 - which].error


def lost_before_all_met(folder: Path) -> None:
    """The second rank lives, is seen, and ends before it comes to where all meet."""
    if ranks.rank() == 1:
        wait_until((folder / "seen").exists)
        os.kill(os.getpid(), signal.SIGKILL)
    look = Missing.there

    def there(self: Missing) -> set[int]:
        seen = look(self)
        if 1 in seen:
            (folder / "seen").touch()
        return seen

    Missing.there = there  # type: ignore[method-assign]
    ranks.meet("it")


@pytest.mark.slow
def test_a_rank_that_ends_before_all_meet_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()
    first, _ = launch(2, partial(lost_before_all_met, tmp_path), tmp_path)
    assert "RankError: Rank 1 of 2 has not been there" in first.error
    # Not the patience with those who are still to come.
    assert time.monotonic() - begun < 90


def waiting(folder: Path) -> str:
    """The second rank is asked to end while it waits for the first, which goes on when it has heard."""
    ranks.meet("the begin")
    heard = folder / "heard"
    with interruption.listening():
        try:
            if ranks.rank() == 1:
                Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
            ranks.decided(lambda: wait_until(heard.exists), "it")
        except interruption.Interrupted as end:
            heard.touch()
            return f"signal {end.number}"
    return "went on"


def test_a_rank_that_waits_hears_signals(tmp_path: Path) -> None:
    first, second = launch(2, partial(waiting, tmp_path), tmp_path)
    assert (first.value, second.value) == ("went on", f"signal {int(signal.SIGTERM)}")


def wait_until(there: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT
    while not there():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def nowhere() -> None:
    del os.environ["MASTER_ADDR"]
    ranks.meet("it")


def test_ranks_that_do_not_know_where_to_meet_are_told_of_torchrun(tmp_path: Path) -> None:
    for one in launch(2, nowhere, tmp_path):
        assert "MASTER_ADDR is not: ranks do not know where to meet. Start them with torchrun" in one.error
