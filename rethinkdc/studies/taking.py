"""A process that takes units of a sweep, one after another, beside others that do the same."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, cast

from rethinkdc import interruption
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.runs.finished import resolve
from rethinkdc.runs.record import Record
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import WaitingWarning, lock
from rethinkdc.studies.journals import Began, Broke, Journal, Journals, Left, Over, journal_in
from rethinkdc.studies.needs import Candidate, Hindrance, choose
from rethinkdc.studies.standing import Ended
from rethinkdc.studies.units import Unit, Workload
from rethinkdc.studies.watching import StageProgress

DEATHS = 3
"""Processes that may die at one run without a word, until that is the run's fault."""
_LOOKS = 1.0
"""Seconds between two looks whether a run can begin that would only wait now, and whether all are asked to end."""
_STOP = "stop"
"""The file that asks them."""
_IDLES = 60.0
"""Seconds without such a run, after which one is begun all the same: it then tells for whom it waits."""


def take_units(file: Path, workload: Workload, runner: Runner, report: Callable[[Ended], None]) -> None:
    """Carries out units until none is left that no living process is at.

    Each is carried out once however many processes take units; one whose process died is taken again, and goes on from
    what is kept.

    Args:
        file: of the units; what processes tell each other lies beside it.
        workload: what is in it.
        runner: carries the runs out.
        report: called as each run ends here.

    Raises:
        RethinkError: what every other process would meet too, such as a full disk.
    """
    Thread(target=_heed, args=(file.parent / _STOP,), daemon=True).start()
    with journal_in(file.parent) as journal:
        taker = _Taker(file.parent, workload, runner, journal)
        while (number := taker.next_unit()) is not None:
            report(taker.carry_out(number))


def ask_to_end(folder: Path) -> None:
    """Asks all processes that take units of a folder to end with their work kept, on whatever host they are."""
    with suppress(OSError):
        (folder / _STOP).touch()


def _heed(asked: Path) -> None:
    while not asked.exists():
        time.sleep(_LOOKS)
    if not interruption.asked():
        os.kill(os.getpid(), signal.SIGINT)


class _Taker:
    def __init__(self, folder: Path, workload: Workload, runner: Runner, journal: Journal) -> None:
        self._lock, self._workload, self._runner, self._journal = folder / "choice.lock", workload, runner, journal
        if workload.watched:
            self._runner = replace(runner, progress=StageProgress(journal.tell))
        self._journals = Journals(folder)

    def next_unit(self) -> int | None:
        """Chooses a unit and tells the others so; waits while all that are left would only wait for something."""
        until = time.monotonic() + _IDLES
        while True:
            # Where no lock can be had two may choose one unit, and the lock of its run tells them apart.
            with lock(self._lock):
                chosen = self._choose()
                if chosen is None:
                    return None
                number, hindrance = chosen
                if hindrance is not Hindrance.SURE or time.monotonic() > until:
                    self._journal.write(Began(unit=number))
                    return number
            time.sleep(_LOOKS)

    def _choose(self) -> tuple[int, Hindrance] | None:
        self._journals.refresh()
        going = set(self._journals.going().values())
        taken = going | set(self._journals.over)
        waiting = (number for number in range(len(self._workload.units)) if number not in taken)
        chosen = choose(map(self._candidate, waiting), list(map(self._candidate, going)), self._runner.cache)
        return chosen and (chosen[0].about, chosen[1])

    def _candidate(self, number: int) -> Candidate[int]:
        unit = self._workload.units[number]
        return Candidate(number, unit.key, unit.needs)

    def carry_out(self, number: int) -> Ended:
        """Carries a unit out, and tells how it ended."""
        unit, started = self._workload.units[number], time.perf_counter()
        try:
            with _collected() as caught:
                record = self._attempt(number, unit)
        except KeyboardInterrupt:
            self._journal.write(Left(unit=number, told=interruption.told()))
            raise
        except RethinkError as error:
            self._journal.write(Broke(unit=number, error=str(error), code=error.exit_code))
            raise
        seconds, told = time.perf_counter() - started, tuple(caught)
        kept = None if record.attempt else record.model_dump(mode="json")
        self._journal.write(
            Over(unit=number, key=record.key, attempt=record.attempt, seconds=seconds, warnings=told, record=kept)
        )
        return Ended(record, seconds, told)

    def _attempt(self, number: int, unit: Unit) -> Record:
        run = resolve(unit.asked, self._runner.registry, self._runner.cache)
        if unit.key is not None and run.key != unit.key:
            raise RequestError(
                f"The run {run.names.methods}, ipc {run.names.ipc}, has the key {run.key} here, and {unit.key} where "
                f"the sweep was started, under rethinkdc {self._workload.version}: its methods, or the files of its "
                "data, are other ones. Install the same versions on all hosts, and let all see the same data."
            )
        if self._journals.deaths()[number] >= DEATHS:
            reason = f"Its process ended {DEATHS} times without a word; was there enough memory?"
            return self._runner.record_end(run, "failed", reason)
        return self._runner.attempt(unit.asked)[0]


@contextmanager
def _collected() -> Iterator[list[str]]:
    """The warnings of a run, beside being shown: the journal tells them where the sweep was started."""
    caught: list[str] = []
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *about: Any, **named: Any) -> None:
            if issubclass(category, UserWarning) and not issubclass(category, WaitingWarning):
                caught.append(str(message))
            shown(message, category, *about, **named)

        warnings.showwarning = cast(Any, show)
        yield caught


__all__ = ["DEATHS", "take_units"]
