"""One thing that is done at the scale of a shape, and what it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.scale.tables import Tables

Facts = dict[str, float | int | str]
"""What a scenario tells beside its seconds: bytes, rates, digests of what came out."""
Run = Callable[[Tables, Path], Facts]
"""Does it, from tables, in an empty folder."""


def _nothing(tables: Tables, folder: Path) -> None:
    assert tables.folder.exists()
    assert folder.exists()


@dataclass(frozen=True)
class Scenario:
    """A piece of work that is measured in a process of its own.

    Attributes:
        group: section of the page.
        name: tells it from the others of its group.
        run: the work.
        prepare: what is made before the clock starts.
    """

    group: str
    name: str
    run: Run
    prepare: Callable[[Tables, Path], None] = _nothing


class Taken(NamedTuple):
    """What a scenario took.

    Attributes:
        wall: seconds of the clock.
        cpu: seconds of the processor, in user and system mode.
        anonymous: bytes of resident anonymous memory at the peak, that of the libraries included.
        disk: bytes that lie in the scenario's folder at its end, without what was prepared.
        facts: what it told.
    """

    wall: float
    cpu: float
    anonymous: int
    disk: int
    facts: Facts
