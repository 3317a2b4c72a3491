"""What a terminal shows of long work: bars of one run, the runs of a sweep, what is being tried."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rethinkdc.cli.saying import say
from rethinkdc.errors import StorageError
from rethinkdc.texts import visible_lines

if TYPE_CHECKING:
    from rethinkdc.studies.standing import Standing
    from rethinkdc.studies.watching import SweepView

_PER_SECOND = 2
"""How often a sweep is drawn."""


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """Tells on stderr what the body is at: on a terminal how long it has been, else in one line when it begins."""
    console = Console(stderr=True)
    if not _redraws(console):
        say(description, err=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as shown:
        shown.add_task(visible_lines(description), total=None)
        yield


class Bars:
    """One bar per task on stderr, or the state of a sweep; nothing where stderr is no terminal that can redraw.

    The outer of two bars moves with the inner one, so that it says how long all parts take, from the first part on.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        self._open: list[_Task] = []

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """See :class:`rethinkdc.types.Progress`."""
        if not self._redraws:
            yield lambda _: None
            return
        if self._bars is not None:
            yield from self._shown(self._bars, description, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            self._bars = bars
            try:
                yield from self._shown(bars, description, total)
            finally:
                self._bars = None

    @contextmanager
    def sweep(self, standings: Sequence[Standing], jobs: int) -> Iterator[SweepView]:
        """See :class:`rethinkdc.studies.watching.SweepWatcher`."""
        # Not above: help needs no study.
        from rethinkdc.cli.sweep_display import SweepDisplay

        display = SweepDisplay(standings, jobs)
        display.wants_stages = self._redraws
        try:
            if not self._redraws:
                yield display
                return
            with Live(
                display,
                console=self._console,
                refresh_per_second=_PER_SECOND,
                transient=True,
                # What is printed meanwhile stands above; what goes to a file stays there.
                redirect_stdout=sys.stdout.isatty(),
            ):
                yield display
        except KeyboardInterrupt:
            told = f"{display.ended_runs} of {len(standings)} runs ended before the interruption, each on record."
            say(told, err=True)
            raise
        except StorageError:
            told = f"{display.ended_runs} of {len(standings)} runs ended before, each on record; no other is begun."
            say(told, err=True)
            raise

    @property
    def _redraws(self) -> bool:
        return _redraws(self._console)

    def _shown(self, bars: Progress, description: str, total: int) -> Iterator[Callable[[int], None]]:
        task = _Task(bars.add_task(description, total=total), total)
        self._open.append(task)

        def advance(done: int) -> None:
            task.done += done
            self._draw(bars)

        try:
            yield advance
        finally:
            self._open.remove(task)
            bars.remove_task(task.number)

    def _draw(self, bars: Progress) -> None:
        """Moves each bar, the outer ones by the share of their unit that the bars within have come to."""
        within = 0.0
        for task in reversed(self._open):
            shown = min(task.done + within, float(task.total))
            bars.update(task.number, completed=shown)
            within = min(shown / task.total, 1.0) if task.total else 0.0


def _redraws(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


@dataclass
class _Task:
    """A bar: its number, all its units, and those that are done."""

    number: TaskID
    total: int
    done: int = 0
