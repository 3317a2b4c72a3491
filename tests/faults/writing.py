"""Writing that fails, made inside the child: at one site of the program, or when so many bytes are written.

A site is a call that changes a disk, with the frame of this package that made it and the first one outside of its
storage. The lowest calls of Python are wrapped, files that are opened for writing are made of a raw file whose writes
are seen, and what libraries write by themselves (safetensors, maps of NumPy) fails in their own words.
"""

from __future__ import annotations

import builtins
import errno
import importlib
import io
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGE = str(Path(__file__).resolve().parents[2]) + os.sep
OURS = tuple(f"{PACKAGE}{name}{os.sep}" for name in ("rethinkdc", "plugins"))
STORAGE = f"{OURS[0]}storage{os.sep}"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OPEN, _WRITE = os.open, os.write

Meet = Callable[[str, int], None]
"""Is told of a call, by name, and of the bytes that it will write; raises where it is to fail."""


@dataclass
class Sites:
    """Keeps the sites that are met; or fails at one of them, once.

    Attributes:
        file: where they are written; None = nowhere.
        at: the site that fails; empty = none.
        number: of the error.
    """

    file: Path | None = None
    at: str = ""
    number: int = errno.EIO
    met: dict[str, None] = field(default_factory=dict)

    def __call__(self, call: str, size: int) -> None:
        site = _site(call)
        if site in self.met:
            return
        self.met[site] = None
        if self.file:
            _append(self.file, site + "\n")
        if site == self.at:
            raise OSError(self.number, os.strerror(self.number))


def _append(file: Path, line: str) -> None:
    """Writes a line past what is wrapped."""
    descriptor = _OPEN(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    _WRITE(descriptor, line.encode())
    os.close(descriptor)


@dataclass
class Quota:
    """A disk that takes so many bytes more."""

    left: int

    def __call__(self, call: str, size: int) -> None:
        if size > self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= size


def watch(meet: Meet) -> None:
    """From now on ``meet`` is told of every call that changes a disk."""
    truncate = os.truncate
    for name in ("replace", "rename", "link", "mkdir", "fsync", "ftruncate", "truncate", "sendfile"):
        setattr(os, name, partial(_call, getattr(os, name), meet, name))
    os.write = partial(_write, os.write, meet)
    os.posix_fallocate = partial(_fallocate, os.posix_fallocate, meet)
    os.open = partial(_open_descriptor, os.open, meet)
    opened = partial(_open_file, io.open, meet)
    builtins.open = io.open = opened
    _watch_libraries(meet, truncate)


def _call(original: Callable[..., Any], meet: Meet, name: str, *given: Any, **named: Any) -> Any:
    meet(name, 0)
    return original(*given, **named)


def _write(original: Callable[..., int], meet: Meet, descriptor: int, content: bytes) -> int:
    if descriptor > 2 and stat.S_ISREG(os.fstat(descriptor).st_mode):
        meet("write", len(content))
    return original(descriptor, content)


def _fallocate(original: Callable[..., None], meet: Meet, descriptor: int, offset: int, size: int) -> None:
    meet("posix_fallocate", size)
    original(descriptor, offset, size)


def _open_descriptor(original: Callable[..., int], meet: Meet, path: Any, flags: int, *given: Any, **named: Any) -> int:
    if flags & _WRITING and not str(path).startswith(("/dev/", "/proc/")):
        meet("open", 0)
    return original(path, flags, *given, **named)


class _Raw(io.FileIO):
    """A file whose writes are seen."""

    meet: Meet

    def write(self, content: Any) -> int:
        self.meet("write", memoryview(content).nbytes)
        return super().write(content)


def _open_file(
    original: Callable[..., Any],
    meet: Meet,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    writes = not set(mode).isdisjoint("wax+") and not str(file).startswith(("/dev/", "/proc/"))
    if not writes or (isinstance(file, int) and not stat.S_ISREG(os.fstat(file).st_mode)):
        return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if not isinstance(file, int):
        meet("open", 0)
    raw = _Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    raw.meet = meet
    if buffering == 0:
        return raw
    buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def _watch_libraries(meet: Meet, truncate: Callable[[Any, int], None]) -> None:
    import numpy as np
    from safetensors import SafetensorError

    tensors: Any = importlib.import_module("safetensors.torch")
    maps: Any = np.memmap

    serialize, flush = tensors.serialize_file, maps.flush

    def write_tensors(content: Any, path: Any, *given: Any, **named: Any) -> None:
        serialize(content, path, *given, **named)
        try:
            meet("serialize_file", Path(path).stat().st_size)
        except OSError as error:
            # As its own writer says it, and leaves it.
            truncate(path, Path(path).stat().st_size // 2)
            said = f"Error while serializing: I/O error: {error.strerror} (os error {error.errno})"
            raise SafetensorError(said) from None

    def write_map(table: Any) -> None:
        meet("msync", 0)
        flush(table)

    tensors.serialize_file = write_tensors
    maps.flush = write_map


def _site(call: str) -> str:
    """The call, the innermost frame of this package, and the innermost one outside of its storage."""
    frame: FrameType | None = sys._getframe(2)
    found: list[str] = []
    while frame and len(found) < 2:
        file = frame.f_code.co_filename
        if file.startswith(OURS) and (not found or not file.startswith(STORAGE)):
            found.append(f"{file.removeprefix(PACKAGE)}:{frame.f_lineno}")
            if not file.startswith(STORAGE):
                break
        frame = frame.f_back
    return " ".join([call, *found])
