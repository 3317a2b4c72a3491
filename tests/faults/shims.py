"""Faults of the surroundings, made inside the child that a command runs in; each is named by a row of the matrix."""

from __future__ import annotations

import builtins
import ctypes
import importlib
import io
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rethinkdc.context.run
import rethinkdc.labels.shards
import rethinkdc.training.loop
from tests.faults.writing import Quota, Sites, watch


def kill(module: str, name: str, call: int, when: str) -> None:
    """Replaces ``module.name`` by one that kills the process before or after its ``call``-th call."""
    place: Any = importlib.import_module(module)
    *parents, last = name.split(".")
    for parent in parents:
        place = getattr(place, parent)
    original: Callable[..., Any] = getattr(place, last)
    left = call

    def replaced(*given: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*given, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, last, replaced)


def shorten(checkpoint_every: float | None, shard_bytes: int) -> None:
    """A run as short as those of tests would only save its end, and have one shard of labels.

    Args:
        checkpoint_every: seconds between two checkpoints of a training; None = as ever.
        shard_bytes: of stored labels.
    """
    if checkpoint_every is not None:
        rethinkdc.training.loop.train_network.__kwdefaults__["checkpoint_every"] = checkpoint_every  # type: ignore[index]
    rethinkdc.labels.shards.SHARD_BYTES = shard_bytes


def keep_chunks_at_once() -> None:
    """Passes over rows keep each chunk when it is made."""
    keep_chunks(every=0.0)


def keep_chunks(every: float) -> None:
    """Passes over rows keep what is done so many seconds after the last time."""
    place: Any = rethinkdc.context.run
    original = place.make_chunks
    place.make_chunks = lambda *given, **named: original(*given, **{**named, "every": every})


def settle_at_once() -> None:
    """The index of boards keeps files however young they are."""
    importlib.import_module("rethinkdc.boards.index")._SETTLED = -1e9  # type: ignore[attr-defined]


def record_sites(file: str) -> None:
    """Writes every site at which the command writes, once, to a file."""
    watch(Sites(Path(file)))


def fail_at(site: str, number: int) -> None:
    """Fails at one site with an error of the system, once."""
    watch(Sites(at=site, number=number))


def fill_disk(left: int) -> None:
    """No more than so many bytes can be written."""
    watch(Quota(left))


def drop_powers() -> None:
    """Root becomes a user whom permissions bind, as all others are."""
    if os.geteuid():
        return
    head, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None, use_errno=True).capset(head, none) == 0


def set_environment(values: dict[str, str | None]) -> None:
    """Variables of the environment; None = not set."""
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def limit(name: str, value: int, more: bool = False) -> None:
    """A limit of the process; ``more``: beyond what it has already."""
    if more:
        value += _used(name)
    resource.setrlimit(getattr(resource, name), (value, value))


def _used(name: str) -> int:
    if name == "RLIMIT_NOFILE":
        return max(int(found.name) for found in Path("/proc/self/fd").iterdir()) + 1
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def lose_working_folder(folder: str) -> None:
    """The folder that the command is called in is removed."""
    Path(folder).mkdir()
    os.chdir(folder)
    Path(folder).rmdir()


def lose_temporary_folders() -> None:
    """There is no folder for temporary files."""
    tempfile._candidate_tempdir_list = lambda: ["/nowhere"]  # type: ignore[attr-defined]
    tempfile.tempdir = None


def speak_ascii() -> None:
    """What is printed is ASCII, as under the locale C."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding="ascii", errors="strict")


def close_output(number: int) -> None:
    """Standard output (1) or standard error (2) is closed, as the interpreter finds it then."""
    os.close(number)
    setattr(sys, {1: "stdout", 2: "stderr"}[number], None)


def print_to(path: str) -> None:
    """Standard output is a device, or a pipe that nobody reads (``|``)."""
    if path == "|":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(path, os.O_WRONLY)
    os.dup2(writer, 1)


def fail_calls(module: str, name: str, error: str, number: int = 0) -> None:
    """Every call of a function fails."""
    place: Any = importlib.import_module(module)
    kind: Any = getattr(builtins, error)
    raised = kind(number, os.strerror(number)) if number else kind("can't start new thread" * (error == "RuntimeError"))

    def fails(*given: Any, **named: Any) -> Any:
        raise raised

    *parents, last = name.split(".")
    for parent in parents:
        place = getattr(place, parent)
    setattr(place, last, fails)


def shift_clock(seconds: float) -> None:
    """The time of day is another, and jumps there while the command goes on."""
    told, nanoseconds = time.time, time.time_ns
    time.time = lambda: told() + seconds
    time.time_ns = lambda: nanoseconds() + int(seconds * 1e9)
