"""Shards made side by side by worker processes; which one makes what changes nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from threading import Thread
from typing import Any

import torch

from rethinkdc.errors import RethinkError
from rethinkdc.layouts.prepared import Shard
from rethinkdc.preparation.shards import Task, make_shard

_AHEAD = 2
"""Tasks for each process that are read at a time."""


class _StoppedError(Exception):
    """Another shard failed, or the process that asked for this one is interrupted."""


def make_shards(tasks: Iterable[Task], workers: int, done: Callable[[Shard], None]) -> None:
    """Makes every shard; tasks are taken from ``tasks`` as they are needed.

    Args:
        tasks: the shards.
        workers: processes; 0 or 1 works in the caller's.
        done: is told of each shard that is whole.

    Raises:
        DataError: an image cannot be read.
        StorageError: a shard cannot be written.
        RethinkError: a process ended.
    """
    if workers <= 1:
        with _one_thread():
            for task in tasks:
                done(make_shard(task))
        return
    # Started anew rather than forked: threads do not survive a fork.
    spawned = multiprocessing.get_context("spawn")
    stop = spawned.Event()
    with ProcessPoolExecutor(workers, mp_context=spawned, initializer=_begin, initargs=(stop,)) as pool:
        try:
            for shard in _made(pool, iter(tasks), workers * _AHEAD):
                done(shard)
        except BrokenProcessPool as error:
            raise RethinkError(
                "A process that prepares images was ended; was there enough memory? Run the same command again, with "
                "fewer --workers: what was finished before is kept. In a script, call it below "
                '`if __name__ == "__main__":`.'
            ) from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _made(pool: ProcessPoolExecutor, tasks: Iterator[Task], most: int) -> Iterator[Shard]:
    """The shards in the order in which they are whole, no more than ``most`` on their way."""
    running: set[Future[Shard]] = {pool.submit(_make, task) for task in islice(tasks, most)}
    while running:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()
        running |= {pool.submit(_make, task) for task in islice(tasks, len(finished))}


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


_process: dict[str, Any] = {}
"""What this worker process was begun with."""


def _begin(stop: Any) -> None:
    # A keyboard interrupt reaches every process of the terminal; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _process["stop"] = stop
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """Ends this process when its parent is gone: nobody would send it work, nor hear of what it makes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(128 + signal.SIGTERM)


def _make(task: Task) -> Shard:
    return make_shard(task, _check)


def _check() -> None:
    if _process["stop"].is_set():
        raise _StoppedError
