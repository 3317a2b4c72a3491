"""What a terminal shows of a sweep that goes on: how many runs are done, and how far those that go on have come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from rethinkdc.studies.remaining import Pace, seconds_left
from rethinkdc.studies.standing import Ended, Standing, name_run
from rethinkdc.studies.watching import Stage
from rethinkdc.texts import visible

WIDEST = 100
"""Columns that a line takes at most: names and stages stand near each other, and seldom wrap when a window shrinks."""
_LEAST_NAME = 8
"""Columns below which a name tells nothing."""


@dataclass
class _Running:
    standing: Standing
    since: float
    stage: Stage | None = None


class SweepDisplay:
    """The state of a sweep, drawn anew whenever the terminal asks; see :class:`~rethinkdc.studies.watching.SweepView`.

    Args:
        standings: the runs of the sweep.
        jobs: processes side by side.
        clock: seconds from any moment on.
    """

    wants_stages: bool = True

    def __init__(self, standings: Sequence[Standing], jobs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._runs, self._jobs, self._clock = len(standings), jobs, clock
        self._expected: Mapping[str, float] = {}
        # By identity: of a set that is yet to be fetched nobody knows the key.
        self._running: dict[int, _Running] = {}
        self._waiting = {id(standing): standing for standing in standings}
        self._ended: list[Pace] = []
        self._failed = 0

    @property
    def ended_runs(self) -> int:
        """How many runs ended so far, each on record."""
        return len(self._ended)

    def expect(self, seconds: Mapping[str, float]) -> None:
        self._expected = seconds

    def began(self, standing: Standing) -> None:
        self._waiting.pop(id(standing), None)
        self._running[id(standing)] = _Running(standing, self._clock())

    def advanced(self, standing: Standing, stage: Stage) -> None:
        if running := self._running.get(id(standing)):
            running.stage = stage

    def ended(self, standing: Standing, ended: Ended) -> None:
        self._running.pop(id(standing), None)
        self._ended.append(Pace(self._expected.get(standing.run.key), ended.seconds))
        self._failed += ended.record.status == "failed"

    def lines(self, width: int) -> list[str]:
        """The lines to show, none longer than ``width`` characters."""
        # A copy: the thread that draws is not the one that counts.
        running, now = list(self._running.values()), self._clock()
        return [self._summary(running, now, width), *(_write_running(each, now, width) for each in running)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        # One column less: a full line moves some cursors to the next.
        for line in self.lines(max(1, min(options.max_width - 1, WIDEST))):
            yield Text(line, no_wrap=True, overflow="crop")

    def _summary(self, running: list[_Running], now: float, width: int) -> str:
        expected, waiting = self._expected, list(self._waiting.values())
        going_on = [Pace(expected.get(each.standing.run.key), now - each.since) for each in running]
        to_come = [expected.get(standing.run.key) for standing in waiting]
        left = seconds_left(list(self._ended), going_on, to_come, self._jobs) if running or waiting else None
        # The most important first: what finds no room is left out.
        parts = [f"{self.ended_runs} of {self._runs} done"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts += [f"{write_time(left)} left"] if left is not None else []
        parts += [f"{len(running)} running"] if running else []
        while len(parts) > 1 and len(", ".join(parts)) > width:
            parts.pop()
        return _shorten(", ".join(parts), width)


def write_time(seconds: float) -> str:
    """Seconds as people read them: ``8 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _write_running(running: _Running, now: float, width: int) -> str:
    told = f"{visible(_write_stage(running.stage))}, {write_time(now - running.since)}"
    name, room = name_run(running.standing.run.names, running.standing.run.seeds), width - len(told) - 2
    if room < _LEAST_NAME:
        return _shorten(told, width)
    return f"{_shorten(visible(name), room):<{room}}  {told}"


def _write_stage(stage: Stage | None) -> str:
    if stage is None:
        return "begins"
    return f"{stage.name} {min(stage.done / stage.total, 1.0):.0%}" if stage.total else stage.name


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 3, 0)]}..."[:width]
