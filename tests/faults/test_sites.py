"""Errors at every place where a run writes: one sentence, and the same command again ends with the same result."""

from __future__ import annotations

import errno
import random
from typing import Any

import pytest

from tests.faults.commands import RUN, Seen
from tests.faults.matrix import State
from tests.faults.rows import ERRORS

MOST = 200
SAMPLE = 4


@pytest.fixture(scope="module")
def sites(surroundings: Any) -> list[str]:
    """Where an undisturbed run writes."""
    place = surroundings.begin(State.EMPTY)
    file = place.folder.with_name("sites.txt")
    seen: Seen = surroundings.commands.call(place, RUN.argv, [("record_sites", {"file": str(file)})])
    assert seen.code == 0, seen.err
    assert RUN.read(seen) == surroundings.answer(RUN)
    found: list[str] = file.read_text().splitlines()
    assert len(found) > 40, found
    return found[:MOST]


def test_errors_at_some_sites_end_in_a_sentence(sites: list[str], surroundings: Any) -> None:
    drawn = random.Random(0).sample([(site, name) for site in sites for name in ERRORS], SAMPLE)
    faults = [fault for site, name in drawn if (fault := _try(surroundings, site, name))]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("name", ERRORS)
def test_errors_at_every_site_end_in_a_sentence(sites: list[str], surroundings: Any, name: str) -> None:
    faults = [fault for site in sites if (fault := _try(surroundings, site, name))]
    print(f"\n{name}: {len(sites)} sites, {len(faults)} faults")
    assert not faults, "\n".join(faults)


def _try(surroundings: Any, site: str, name: str) -> str:
    """What is wrong with how a run meets an error at a site; empty where nothing is."""
    place = surroundings.begin(State.EMPTY)
    shim = ("fail_at", {"site": site, "number": getattr(errno, name)})
    seen: Seen = surroundings.commands.call(place, RUN.argv, [shim])
    try:
        seen.check_manners()
        if seen.code:
            seen = surroundings.commands.call(place, RUN.argv)
            seen.check_manners()
        # What can be done without may be left out; what is said is right in any case.
        assert seen.code == 0, seen.err
        assert RUN.read(seen) == surroundings.answer(RUN)
    except AssertionError as error:
        return f"{name} at {site}: {str(error)[-400:]}"
    return ""
