"""The fault matrix: each row a fault, what is promised of it, and what was seen to happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.faults.commands import RUN, Command, Place, Shim

Mend = Callable[[], None]
"""Takes a fault away again."""


class Promise(Enum):
    """What holds whatever happens; its value is how the page says it."""

    UNHARMED = "the command ends well, with the same result"
    MADE_AGAIN = "what is damaged is made again, and the command ends well, with the same result"
    REFUSED = "the command ends with exit code 1 or 2 and a message that names what is wrong; nothing computed is lost"
    TOLD_APART = "the data is other data: its results stand under another key, and never beside those of the first"
    LISTED = "boards leave it out and name it; of all else nothing changes"
    GONE = "boards do not know it any more; of all else nothing changes"

    @property
    def word(self) -> str:
        """One or two words for it."""
        return self.name.lower().replace("_", " ")


class State(Enum):
    """How a place is found: what was done there before the fault."""

    EMPTY = "nothing was done"
    CACHED = "all artefacts are in the cache, and nothing is on record"
    FINISHED = "the run is on record"
    RECORDED = "two runs are on record"
    INDEXED = "two runs are on record, and a board was made of them"
    EXPORTED = "a set was written with `compress --out`"
    IN_PROXY = "the run was killed in its proxy"
    IN_PARTS = "the run was killed between the parts of a set and the set"
    IN_LABELS = "the run was killed between two shards of labels"
    IN_PASS = "the run was killed in a pass over rows"
    IN_STUDENT = "the run was killed in its student"


@dataclass(frozen=True)
class Fault:
    """A row.

    Attributes:
        kind: heading of the page.
        what: is wrong, or has something wrong with it.
        how: it is damaged; empty = ``what`` says it all.
        promise: what holds.
        seen: what happens, in plain words.
        says: what the command says or prints of it; empty = nothing need be said.
        state: of the place before.
        command: that meets the fault.
        likewise: answers what the command answers without the fault; None = the command itself.
        harm: makes the fault in the place, and returns what takes it away.
        shims: faults of the surroundings that the child makes for itself.
        ends: whether the child ends as an interpreter does, which takes a second.
        slow: whether it is left out of the default run.
        unless: why it cannot be tried here; empty = it can.
    """

    kind: str
    what: str
    how: str
    promise: Promise
    seen: str
    says: str = ""
    state: State = State.CACHED
    command: Command = RUN
    likewise: Command | None = None
    harm: Callable[[Place], Mend] | None = None
    shims: tuple[Shim, ...] = ()
    ends: bool = False
    slow: bool = False
    unless: str = ""

    @property
    def usual(self) -> Command:
        """Whose answer is the same, where nothing is wrong."""
        return self.likewise or self.command

    def __str__(self) -> str:
        return f"{self.what}, {self.how}" if self.how else self.what


def kill(module: str, name: str, call: int, when: str) -> tuple[Shim, ...]:
    """A child that kills itself before or after the call of a function."""
    values: dict[str, Any] = {"module": module, "name": name, "call": call, "when": when}
    return (("kill", values),)
