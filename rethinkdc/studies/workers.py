"""Worker processes of a sweep: each carries out one run after another."""

from __future__ import annotations

import multiprocessing
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RethinkError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.records import Records
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import WaitingWarning
from rethinkdc.studies.standing import Ended, Standing
from rethinkdc.studies.watching import Stage, StageProgress


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
        )


class Worker:
    """A process that carries out one run after another.

    Started anew rather than forked: neither CUDA nor threads survive a fork. Pipes of its own, so that the end of a
    process is seen, and whose run it was.
    """

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
            trackers=tuple(runner.registry.trackers.added),
            tells=tells,
        )
        spawned = multiprocessing.get_context("spawn")
        self.connection, theirs = spawned.Pipe()
        self.process = spawned.Process(target=_serve, args=(theirs, machine))
        self.process.start()
        theirs.close()

    def begin(self, standing: Standing) -> None:
        self.standing, self.since = standing, time.perf_counter()
        self.connection.send(standing.run.asked)

    def answer(self) -> Ended | Stage | Waiting | None:
        """How its run ended, how far it has come, or for whom it waits, which is warned of; None when it has started.

        Raises:
            RethinkError: the process could not start, or the error that ended its run without a record.
        """
        try:
            answer: Ended | Stage | Waiting | RethinkError | None = self.connection.recv()
        except (EOFError, OSError):
            # Also one that was ended in the middle of a word.
            standing, self.standing = self.standing, None
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
        if isinstance(answer, Waiting):
            warnings.warn(answer.told, WaitingWarning, stacklevel=4)
        if isinstance(answer, Stage | Waiting):
            return answer
        self.standing = None
        if isinstance(answer, RethinkError):
            raise answer
        if answer:
            for message in answer.warnings:
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


def _tell(connection: Connection, told: Stage | Waiting) -> None:
    # A parent that is gone must not make the run fail.
    with suppress(OSError):
        connection.send(told)
