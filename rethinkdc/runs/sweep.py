"""Sweeps: the runs of a study, in this process or in several, each ending on record."""

from __future__ import annotations

import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal

import torch

from rethinkdc.context import ranks
from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Record, Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner

State = Literal["ok", "failed", "unsupported", "new"]


@dataclass(frozen=True)
class Standing:
    """One run of a sweep, and what is on record of it: the first ok attempt, else the last one, else nothing."""

    run: Run
    found: Record | None

    @property
    def state(self) -> State:
        """How it stands."""
        return self.found.status if self.found else "new"

    def remains(self, *, retry_unsupported: bool = False) -> bool:
        """Whether a sweep runs it: what failed is tried again; what is unsupported only when asked for."""
        return self.state in ("new", "failed") or (retry_unsupported and self.state == "unsupported")

    @property
    def proxy(self) -> tuple[str, str, int]:
        """What its proxy depends on: standings that share one wait for each other while it is trained."""
        return self.run.dataset_fingerprint, self.run.protocol.proxy_digest, self.run.request.seeds.proxy


@dataclass(frozen=True)
class Ended:
    """How a standing ended: its record, the seconds that this sweep spent on it, and what was warned of meanwhile."""

    record: Record
    seconds: float
    warned: tuple[str, ...] = ()


Report = Callable[[Standing, Ended], None]


def standings_of(runs: list[Run], records: Records) -> list[Standing]:
    """The runs with what is on record of each.

    Raises:
        RethinkError: a record of one of them is damaged.
    """
    standings = []
    for run in runs:
        attempts = records.attempts(run.key)
        first_ok = next((record for record in attempts if record.status == "ok"), None)
        standings.append(Standing(run, first_ok or (attempts[-1] if attempts else None)))
    return standings


def carry_out(standings: list[Standing], runner: Runner, report: Report, *, jobs: int = 1) -> None:
    """Runs standings; each ends on record whatever happens in it, and the others go on.

    Results do not depend on ``jobs`` nor on the order. With ``jobs`` > 1 a script must call this below
    ``if __name__ == "__main__":``, since worker processes import it.

    Args:
        standings: what to run.
        runner: carries them out; worker processes get one like it.
        report: called in this process as each standing ends.
        jobs: processes side by side.

    Raises:
        RethinkError: records cannot be written, or worker processes cannot be started.
        RequestError: several ranks were started for it.
    """
    if ranks.world() > 1:
        raise RequestError("Ranks share a set's parts, not the runs of a study: start the sweep once, with --jobs N.")
    if jobs > 1 and len(standings) > 1:
        _in_processes(list(standings), runner, report, jobs)
        return
    for standing in standings:
        started = time.perf_counter()
        record, _ = runner.attempt(standing.run.request)
        report(standing, Ended(record, time.perf_counter() - started))


def next_standing(waiting: list[Standing], running: list[Standing]) -> Standing:
    """The first whose proxy no running one uses, so that no process waits for another's; else the first."""
    busy = {standing.proxy for standing in running}
    return next((standing for standing in waiting if standing.proxy not in busy), waiting[0])


def _in_processes(waiting: list[Standing], runner: Runner, report: Report, jobs: int) -> None:
    workers = [_Worker(runner) for _ in range(min(jobs, len(waiting)))]
    try:
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                standing, ended = worker.standing, worker.answer()
                if standing and ended:
                    report(standing, ended)
                if waiting and not worker.process.is_alive():
                    workers[workers.index(worker)] = _Worker(runner)
                    worker.stop()
                elif waiting:
                    chosen = next_standing(waiting, [other.standing for other in workers if other.standing])
                    waiting.remove(chosen)
                    worker.begin(chosen)
                else:
                    workers.remove(worker)
                    worker.stop()
    finally:
        for worker in workers:
            worker.stop()


@dataclass(frozen=True)
class _Machine:
    """What a worker process makes its runner of."""

    cache: Path
    records: Path
    device: torch.device
    workers: int
    threads: int

    def runner(self) -> Runner:
        return Runner(
            registry=Registry(),
            cache=Cache(self.cache),
            records=Records(self.records),
            device=self.device,
            workers=self.workers,
            threads=self.threads,
        )


class _Worker:
    """A process that carries out one standing after another.

    Started anew rather than forked: neither CUDA nor threads survive a fork. Pipes of its own, so that the end of a
    process is seen, and whose standing it was.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.standing: Standing | None = None
        machine = _Machine(runner.cache.root, runner.records.folder, runner.device, runner.workers, runner.threads)
        spawned = multiprocessing.get_context("spawn")
        self.connection, theirs = spawned.Pipe()
        self.process = spawned.Process(target=_serve, args=(theirs, machine))
        self.process.start()
        theirs.close()

    def begin(self, standing: Standing) -> None:
        self.standing, self.since = standing, time.perf_counter()
        self.connection.send(standing.run.request)

    def answer(self) -> Ended | None:
        """How its standing ended; None when it has just started.

        Raises:
            RethinkError: it could not start, or not keep the record.
        """
        standing, self.standing = self.standing, None
        try:
            answer: Ended | str | None = self.connection.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            if standing is None:
                raise RethinkError(
                    f"A worker process could not be started (exit code {code}). Run without --jobs; in a script, "
                    'call the sweep below `if __name__ == "__main__":`.'
                ) from None
            reason = f"Its process was ended by signal {-code}" if code and code < 0 else f"Its process ended ({code})"
            record = self.runner.record_end(standing.run, "failed", f"{reason}; was there enough memory?")
            return Ended(record, time.perf_counter() - self.since)
        if isinstance(answer, str):
            raise RequestError(answer)
        if answer:
            for message in answer.warned:
                warnings.warn(message, stacklevel=4)
        return answer

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, machine: _Machine) -> None:
    """A worker process: receives requests and answers how each ended, until its parent ends it or is gone."""
    # A keyboard interrupt reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner = machine.runner()
    torch.set_num_threads(machine.threads)
    connection.send(None)
    while True:
        try:
            request: Request = connection.recv()
        except EOFError:
            return
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            try:
                record, _ = runner.attempt(request)
            except RethinkError as error:
                # As text: not every error can be pickled.
                connection.send(str(error))
                continue
        warned = tuple(str(item.message) for item in caught if issubclass(item.category, UserWarning))
        connection.send(Ended(record, time.perf_counter() - started, warned))
