"""What was found, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from rethinkdc.errors import RethinkError

Verdict = Literal["fine", "notice", "fault"]
"""``fine``: as it should be; ``notice``: works, and may be less than is wanted; ``fault``: something will not work."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what, in few words.
        verdict: how it is.
        told: what was found, a sentence.
        mend: the command, or what is done, to make it fine; empty where nothing is to be done.
    """

    about: str
    verdict: Verdict
    told: str
    mend: str = ""


def settled(about: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """Findings, as far as they can be had: what ends the look is a fault of its own, and ends no other look."""
    try:
        yield from found
    except (RethinkError, OSError) as error:
        yield Finding(about, "fault", str(error))
