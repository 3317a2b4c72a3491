"""Rules of what no result depends on: trackers and engines."""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from rethinkdc.contracts.engines import Engine
from rethinkdc.contracts.kinds import Tracker
from rethinkdc.errors import RequestError
from rethinkdc.testing.case import Case
from rethinkdc.testing.events import make_told_run
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.verdicts import NotApplicableError, require

_PROCESSES = 2
_PATIENCE = 120.0
"""Seconds in which an engine's processes must have ended that do next to nothing."""
_MARK = "import os, sys, uuid; open(os.path.join(sys.argv[1], uuid.uuid4().hex), 'w').close()"


def _checked(case: Case) -> None:
    try:
        cast(Any, case.method).check()
    except RequestError as error:
        raise NotApplicableError(f"it cannot work here, and says so: {error}") from None


def _hears(case: Case) -> None:
    tracker = cast(Tracker, case.method)
    told, folder = make_told_run(), case.bench.new_folder()
    before = copy.deepcopy(told)
    folder.mkdir(parents=True)
    # What it writes to the current folder, as trackers do, is not left in the user's.
    with _inside(folder):
        tracker.run_started(told.definition, told.names, told.key)
        tracker.epoch_ended(0, 2.5)
        # A student whose loss is no number ends its epochs too.
        tracker.epoch_ended(1, float("nan"))
        tracker.run_finished(told.record)
    require(told == before, f"{case.label} changes what it is told", differs="arguments")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _starts(case: Case) -> str:
    engine = cast(Engine, case.method)
    if engine.here:
        raise NotApplicableError("its runs are made by the sweep's own processes")
    marks, own = case.bench.new_folder(), case.bench.new_folder()
    for folder in (marks, own):
        folder.mkdir(parents=True)
    try:
        crew = engine.start([sys.executable, "-c", _MARK, str(marks)], _PROCESSES, own)
    except RequestError as error:
        raise NotApplicableError(f"it has no place here, and says so: {error}") from None
    try:
        _wait_until(lambda: crew.running() == 0)
        require(crew.running() == 0, f"{crew.running()} processes have not ended after {_PATIENCE:g} s: {crew.said()}")
    finally:
        crew.stop()
    ended = len(list(Path(marks).iterdir()))
    told = f"started {_PROCESSES} processes, of which {ended} did their work: {crew.said()}"
    require(ended == _PROCESSES, told, differs="processes")
    return f"{ended} processes"


def _stops(case: Case) -> None:
    engine, own = cast(Engine, case.method), case.bench.new_folder()
    own.mkdir(parents=True)
    crew = engine.start([sys.executable, "-c", "import time; time.sleep(600)"], 1, own)
    crew.stop()
    _wait_until(lambda: crew.running() == 0)
    require(crew.running() == 0, "a process goes on that was stopped", differs="stop")


def _slots(case: Case) -> None:
    slots = cast(Engine, case.method).slots(3)
    told = f"slots(3) = {slots!r}; expected a number of processes"
    require(isinstance(slots, int) and slots >= 1, told, differs="slots")


def _wait_until(over: Any) -> None:
    since = time.monotonic()
    while not over() and time.monotonic() - since < _PATIENCE:
        time.sleep(0.05)


_WORKS = ("works",)
TRACKER: tuple[Rule[Case], ...] = (
    Rule("works", "It can be used here, or says what is missing.", _checked),
    Rule("events", "It hears every event without an error, and leaves what it is told as it is.", _hears, _WORKS),
)
ENGINE: tuple[Rule[Case], ...] = (
    Rule("works", "It can be used here, or says what is missing.", _checked),
    Rule("slots", "It says how many processes work side by side.", _slots, _WORKS),
    Rule("starts", "It starts a command so many times, and knows when all have ended.", _starts, _WORKS, long=True),
    Rule("stops", "What it is told to stop ends.", _stops, ("works", "starts"), long=True),
)
