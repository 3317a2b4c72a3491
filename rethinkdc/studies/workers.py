"""Worker processes of a sweep: each carries out one run after another."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, cast

import torch

from rethinkdc import interruption, offline
from rethinkdc.context.cache import Cache
from rethinkdc.errors import RethinkError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.records import Records
from rethinkdc.runs.runner import Runner
from rethinkdc.runs.time_limit import tell_limit
from rethinkdc.storage import WaitingWarning
from rethinkdc.studies.standing import Ended, Standing
from rethinkdc.studies.watching import Stage, StageProgress

STOPS = 5.0
"""Seconds that a process has to keep its work and end; :data:`rethinkdc.interruption.GRACE` lies within them."""
_LOOK = 0.5
"""Seconds between two looks whether the parent lives."""


class Waiting(NamedTuple):
    """That a process waits for another, as its warning says it."""

    told: str


@dataclass(frozen=True)
class _Machine:
    """What a worker process makes its runner of."""

    cache: Path
    records: Path
    beside: Beside
    device: torch.device
    workers: int
    threads: int
    time_limit: float | None
    trackers: tuple[str, ...]
    tells: bool

    def runner(self) -> Runner:
        registry = Registry(cache_folder=self.cache)
        for reference in self.trackers:
            registry.trackers.add(reference)
        return Runner(
            registry=registry,
            cache=Cache(self.cache),
            records=Records(self.records),
            beside=self.beside,
            device=self.device,
            workers=self.workers,
            threads=self.threads,
            time_limit=self.time_limit,
        )


class Worker:
    """A process that carries out one run after another.

    Started anew rather than forked: neither CUDA nor threads survive a fork. Pipes of its own, so that the end of a
    process is seen, and whose run it was.
    """

    overdue = False
    """Whether it was ended since its run took too long."""

    def __init__(self, runner: Runner, *, tells: bool = False) -> None:
        """Starts one like ``runner``; ``tells``: that answers with stages too, while a run goes on."""
        self.runner = runner
        self.standing: Standing | None = None
        machine = _Machine(
            cache=runner.cache.root,
            records=runner.records.folder,
            beside=runner.beside,
            device=runner.device,
            workers=runner.workers,
            threads=runner.threads,
            time_limit=runner.time_limit,
            trackers=tuple(runner.registry.trackers.added),
            tells=tells,
        )
        spawned = multiprocessing.get_context("spawn")
        self.connection, theirs = spawned.Pipe()
        self.process = spawned.Process(target=_serve, args=(theirs, machine))
        self.process.start()
        theirs.close()

    @property
    def deadline(self) -> float:
        """When its run, which should have ended itself, is ended from outside; infinite where that is never."""
        limit = self.runner.time_limit
        return math.inf if limit is None or self.standing is None else self.since + limit + STOPS

    def end_overdue(self) -> None:
        """Ends the process: its run is past its deadline, and does not come back to Python."""
        self.overdue = True
        self.process.kill()

    def begin(self, standing: Standing) -> None:
        """Sends it a run."""
        self.standing, self.since = standing, time.perf_counter()
        # One that ended meanwhile says so when it is asked for its answer.
        with suppress(OSError):
            self.connection.send(standing.run.asked)

    def answer(self) -> Ended | Stage | Waiting | None:
        """How its run ended, how far it has come, or for whom it waits, which is warned of; None when it has started.

        Raises:
            StartError: the process ended before it had started.
            RethinkError: the error that ended its run without a record.
        """
        try:
            answer: Ended | Stage | Waiting | Stopped | RethinkError | None = self.connection.recv()
        except (EOFError, OSError):
            # Also one that was ended in the middle of a word.
            return self._broke()
        if isinstance(answer, Waiting):
            warnings.warn(answer.told, WaitingWarning, stacklevel=4)
        if isinstance(answer, Stage | Waiting):
            return answer
        if isinstance(answer, Stopped):
            # Somebody asked this process alone to end.
            return self._broke()
        self.standing = None
        if isinstance(answer, RethinkError):
            raise answer
        if answer:
            for message in answer.warnings:
                warnings.warn(message, stacklevel=4)
        return answer

    def _broke(self) -> Ended:
        """What its end means: its run failed, and is recorded so."""
        standing, self.standing = self.standing, None
        self.process.join()
        how = _name_end(self.process.exitcode)
        if standing is None:
            raise StartError(how, by_signal=(self.process.exitcode or 0) < 0)
        reason = f"Its process {how}; was there enough memory?"
        if self.overdue and self.runner.time_limit is not None:
            reason = tell_limit(self.runner.time_limit)
        record = self.runner.record_end(standing.run, "failed", reason)
        return Ended(record, time.perf_counter() - self.since)

    def dismiss(self) -> None:
        """Lets it end, since there is no run for it: it hears that nobody will send one."""
        self.connection.close()
        try:
            self.process.join(STOPS)
        finally:
            # Also when an interruption comes while it is waited for: nobody else knows of it any more.
            self.kill()

    def kill(self) -> None:
        """Ends it now, if it has not ended."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.connection.close()


class StartError(RethinkError):
    """A worker process ended before it had started.

    Attributes:
        how: it ended.
        by_signal: whether somebody ended it.
    """

    def __init__(self, how: str, *, by_signal: bool) -> None:
        super().__init__(
            f"A worker process could not be started: it {how}. Run without --jobs and --time-limit; in a script, call "
            'the sweep below `if __name__ == "__main__":`.'
        )
        self.how, self.by_signal = how, by_signal


@dataclass(frozen=True)
class Stopped:
    """What a worker process that was asked to end says last: what is kept of its run."""

    told: str


def stop_all(workers: Sequence[Worker]) -> list[tuple[Standing, str]]:
    """Asks all to end, and gives them time to keep their work; those that take longer are killed.

    Returns:
        The runs that were going on, and what is kept of each, as far as their processes said it.
    """
    until, told = time.monotonic() + STOPS, list[tuple[Standing, str]]()
    for worker in workers:
        worker.process.terminate()
    listening = {worker.connection: worker for worker in workers}
    while listening and (ready := wait(list(listening), timeout=max(0.0, until - time.monotonic()))):
        for connection in ready:
            assert isinstance(connection, Connection)
            worker = listening[connection]
            try:
                answer = connection.recv()
            except (EOFError, OSError):
                del listening[connection]
                continue
            if isinstance(answer, Stopped) and worker.standing:
                told.append((worker.standing, answer.told))
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.kill()
    return told


def _name_end(code: int | None) -> str:
    return f"was ended by signal {-code}" if code and code < 0 else f"ended ({code})"


def _serve(connection: Connection, machine: _Machine) -> None:
    """A worker process: receives requests and answers how each ended, until its parent ends it or is gone."""
    # A keyboard interrupt reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    end_with(parent.pid if parent and parent.pid else os.getppid())
    # What the sweep was asked for, its environment tells.
    with interruption.listening(), offline.connection(offline=False):
        try:
            _answer(connection, machine)
        except KeyboardInterrupt:
            with suppress(OSError):
                connection.send(Stopped(interruption.told()))
            sys.exit(128 + (interruption.heard() or signal.SIGINT))


def _answer(connection: Connection, machine: _Machine) -> None:
    runner = machine.runner()
    if machine.tells:
        runner = replace(runner, progress=StageProgress(partial(_tell, connection)))
    torch.set_num_threads(machine.threads)
    connection.send(None)
    while True:
        try:
            asked: AnyRequest = connection.recv()
        except EOFError:
            return
        started = time.perf_counter()
        with _caught_warnings(connection) as caught:
            try:
                record, _ = runner.attempt(asked)
            except RethinkError as error:
                connection.send(error)
                continue
        connection.send(Ended(record, time.perf_counter() - started, tuple(caught)))


@contextmanager
def _caught_warnings(connection: Connection) -> Iterator[list[str]]:
    """The warnings of a run, which its end tells; for whom it waits is told at once."""
    caught: list[str] = []

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, WaitingWarning):
            _tell(connection, Waiting(str(message)))
        elif issubclass(category, UserWarning):
            caught.append(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = cast(Any, show)
        yield caught


def end_with(parent: int) -> None:
    """Ends this process as a signal does when its parent is gone, and then at once, whatever it is doing."""
    Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    # Whoever was asked to end already is at it: a second signal would end it at once.
    if not interruption.asked():
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOPS)
    os._exit(128 + signal.SIGTERM)


def _tell(connection: Connection, told: Stage | Waiting) -> None:
    # A parent that is gone must not make the run fail.
    with suppress(OSError):
        connection.send(told)
