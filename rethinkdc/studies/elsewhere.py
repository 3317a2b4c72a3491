"""Sweeps over an engine: the runs are made by processes that it starts, and this one tells how they end."""

from __future__ import annotations

import secrets
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rethinkdc import interruption
from rethinkdc.context.cache import ENVIRONMENT
from rethinkdc.contracts.engines import STOPS, Crew, Engine
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.record import Record
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import is_held, make_folder, show_path
from rethinkdc.studies.journals import Began, Broke, Event, Journals, Left, Over
from rethinkdc.studies.standing import Ended, Standing, name_run
from rethinkdc.studies.taking import ask_to_end
from rethinkdc.studies.units import plan_workload, write_workload
from rethinkdc.studies.watching import SweepView

Report = Callable[[Standing, Ended], None]
_KIND = "sweeps"
"""The folder of the cache where sweeps lie while they go on."""
_UNITS = "units.json"
_POLL = 0.25
"""Seconds between two looks at the journals."""
_ASKS = 5.0
"""Seconds between two questions to the engine: some ask a cluster."""
_APPEARS = 60.0
"""Seconds within which a file that another host has written is seen here."""
_OLD = 30 * 86400.0
"""Seconds after which a sweep that was left, and of which no process lives, is cleared away: jobs may queue long."""
_LOST = 3
"""Processes that may end in a row before they have begun a run, until the engine is given up."""


class EngineError(RethinkError):
    """The processes of an engine end before they do anything."""


@dataclass(frozen=True)
class Elsewhere:
    """Where runs are made that this process does not make.

    Attributes:
        engine: starts the processes.
        slots: how many.
        machine: what computes, as the user says it.
        keeping: where results go, and what of them is kept.
    """

    engine: Engine
    slots: int
    machine: Machine
    keeping: Keeping


def carry_out_elsewhere(
    standings: list[Standing], runner: Runner, report: Report, view: SweepView, place: Elsewhere
) -> None:
    """Carries runs out over an engine; see :func:`rethinkdc.studies.sweep.carry_out`.

    Raises:
        EngineError: its processes end without having begun a run.
        RequestError: the cache cannot be shared, the engine has less than is asked for, or what its processes refuse.
        RethinkError: what ended one of them and would end all, as a full disk.
    """
    folder = _new_folder(runner)
    workload = plan_workload(standings, runner, place.machine, place.keeping, watched=view.wants_stages)
    write_workload(folder / _UNITS, workload)
    sweep = _Sweep(standings, runner, report, view, place, folder)
    kept = False
    try:
        sweep.carry_out()
    except KeyboardInterrupt:
        kept = sweep.leave()
        if not kept:
            for standing, told in sweep.stop():
                interruption.add(f"{name_run(standing.run.names, standing.run.seeds)}: {told}")
        raise
    except EngineError:
        # For its logs.
        kept = True
        sweep.stop()
        raise
    finally:
        if not kept:
            sweep.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder(runner: Runner) -> Path:
    home = runner.cache.folders.home(_KIND)
    if home != runner.cache.root / _KIND:
        raise RequestError(
            f"An engine's processes see the runs through {show_path(runner.cache.root)}, which cannot be written. "
            f"Choose a cache that all hosts share with --cache-dir or {ENVIRONMENT}."
        )
    _clear_old(home)
    folder = home / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    make_folder(folder)
    return folder


def _clear_old(home: Path) -> None:
    """Removes what sweeps left whose processes and logs nobody can need any more."""
    with suppress(OSError):
        for folder in list(home.iterdir()):
            if time.time() - folder.stat().st_mtime > _OLD and not any(map(is_held, folder.rglob("*.lock"))):
                shutil.rmtree(folder, ignore_errors=True)


class _Sweep:
    """A sweep over an engine, as it is followed from here."""

    def __init__(
        self,
        standings: list[Standing],
        runner: Runner,
        report: Report,
        view: SweepView,
        place: Elsewhere,
        folder: Path,
    ) -> None:
        self._standings, self._runner, self._report, self._view = standings, runner, report, view
        self._place, self._folder = place, folder
        self._journals, self._crews, self._begun = Journals(folder), list[Crew](), set[int]()
        self._ended = set[int]()
        self._lost = 0

    def carry_out(self) -> None:
        self._hire(min(self._place.slots, len(self._standings)))
        asked = time.monotonic()
        while len(self._ended) < len(self._standings):
            for event in self._journals.refresh():
                self._hear(event)
            if self._view.wants_stages:
                for unit, stage in self._journals.stages():
                    self._view.advanced(self._standings[unit], stage)
            if time.monotonic() - asked > _ASKS:
                self._make_up()
                asked = time.monotonic()
            time.sleep(_POLL)

    def _hire(self, count: int) -> None:
        command = [sys.executable, "-m", "rethinkdc", "carry-out", str(self._folder / _UNITS), "--with-parent"]
        place = self._folder / f"crew-{len(self._crews)}"
        make_folder(place)
        self._crews.append(self._place.engine.start(command, count, place))

    def _hear(self, event: Event) -> None:
        standing = self._standings[event.unit]
        if isinstance(event, Began):
            self._lost = 0
            if event.unit not in self._begun:
                self._begun.add(event.unit)
                self._view.began(standing)
        elif isinstance(event, Over) and event.unit not in self._ended:
            self._ended.add(event.unit)
            for message in event.warnings:
                warnings.warn(message, stacklevel=4)
            ended = Ended(self._record(event), event.seconds, event.warnings)
            self._view.ended(standing, ended)
            self._report(standing, ended)
        elif isinstance(event, Broke):
            raise (RequestError if event.code == RequestError.exit_code else RethinkError)(event.error)

    def _record(self, event: Over) -> Record:
        if event.record is not None:
            return Record.model_validate(event.record)
        path = self._runner.records.path(event.key, event.attempt)
        until = time.monotonic() + _APPEARS
        while not path.is_file() and time.monotonic() < until:
            # Another host's file takes seconds to be seen, on some file systems.
            time.sleep(_POLL)
        return self._runner.records.read_in_place(path)

    def _make_up(self) -> None:
        """Other processes in place of those that ended while there is work for them."""
        running = sum(crew.running() for crew in self._crews)
        for event in self._journals.refresh():
            self._hear(event)
        left = len(self._standings) - len(self._ended)
        # Those that wait for a place count: they will take what is left.
        short = min(self._place.slots, left) - running
        if short <= 0:
            return
        self._lost += 1
        if self._lost > _LOST:
            said = next((said for crew in reversed(self._crews) if (said := crew.said())), "They left no word.")
            raise EngineError(
                f"The processes that the engine {self._place.engine.name} starts end before they have begun a run. "
                f"The last one said: {said} Their logs lie in {show_path(self._folder)}."
            )
        self._hire(short)

    def leave(self) -> bool:
        """Lets processes go on that outlive this one, and says so; gives whether there are any."""
        told = [said for crew in self._crews if crew.running() and (said := crew.leave())]
        for said in told:
            interruption.add(
                f"{said} Their runs end on record, and the same command waits for those that go on instead of making "
                "them twice."
            )
        return bool(told)

    def stop(self) -> list[tuple[Standing, str]]:
        """Ends all processes, and tells what is kept of the runs that were going on."""
        crews, self._crews, told = self._crews, [], list[tuple[Standing, str]]()
        ask_to_end(self._folder)
        for crew in crews:
            crew.stop()
        until = time.monotonic() + STOPS
        while crews and self._journals.living() and time.monotonic() < until:
            time.sleep(_POLL)
        for event in self._journals.refresh():
            if isinstance(event, Left):
                told.append((self._standings[event.unit], event.told))
        return told


__all__ = ["Elsewhere", "EngineError", "carry_out_elsewhere"]
