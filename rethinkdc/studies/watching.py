"""What is told of a sweep while it goes on, so that somebody can watch it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rethinkdc.studies.standing import Ended, Standing

EVERY = 0.25
"""Seconds between two reports of one run: seldom enough to cost nothing, often enough to look alive."""


@dataclass(frozen=True)
class Stage:
    """How far the work that a run is busy with has come: its name, and units done of all."""

    name: str
    done: int
    total: int


class SweepView(Protocol):
    """Who watches one sweep.

    Attributes:
        wants_stages: whether anybody looks at what goes on inside runs.
    """

    wants_stages: bool

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Tells, before the first run, what runs will take, by key, where that is known from others on record."""
        ...

    def began(self, standing: Standing) -> None:
        """A run begins."""
        ...

    def advanced(self, standing: Standing, stage: Stage) -> None:
        """The run got on; told at most every :data:`EVERY` seconds."""
        ...

    def ended(self, standing: Standing, ended: Ended) -> None:
        """The run ended, and is on record."""
        ...


@runtime_checkable
class SweepWatcher(Protocol):
    """A :class:`~rethinkdc.types.Progress` that can show a whole sweep."""

    def sweep(self, standings: Sequence[Standing], jobs: int) -> AbstractContextManager[SweepView]:
        """Shows a sweep of these runs in so many processes, as long as the context lasts."""
        ...


class Unwatched:
    """A view that nobody looks at."""

    wants_stages = False

    def expect(self, seconds: Mapping[str, float]) -> None:
        """Shows nothing."""

    def began(self, standing: Standing) -> None:
        """Shows nothing."""

    def advanced(self, standing: Standing, stage: Stage) -> None:
        """Shows nothing."""

    def ended(self, standing: Standing, ended: Ended) -> None:
        """Shows nothing."""


@contextmanager
def watch(progress: object, standings: Sequence[Standing], jobs: int) -> Iterator[SweepView]:
    """The view of a sweep that ``progress`` gives; one that nobody looks at where it has none."""
    if not isinstance(progress, SweepWatcher):
        yield Unwatched()
        return
    with progress.sweep(standings, jobs) as view:
        yield view


class StageProgress:
    """A :class:`~rethinkdc.types.Progress` that tells the innermost task that goes on, seldom."""

    def __init__(self, tell: Callable[[Stage], None]) -> None:
        self._tell = tell
        self._told = -EVERY

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """See :class:`rethinkdc.types.Progress`."""
        count = 0

        def advance(done: int) -> None:
            nonlocal count
            count += done
            self._report(description, count, total)

        self._report(description, 0, total)
        yield advance

    def _report(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._tell(Stage(name, done, total))
