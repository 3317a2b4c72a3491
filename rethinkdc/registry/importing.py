"""A third party's import in this process: it reads nothing, and what it prints is caught."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

ARGUMENTS = ["rethinkdc"]
"""``sys.argv`` of an import: a plugin that reads the command line must not take the framework's for its own."""
_SHOWN = 200
"""Characters of what a plugin prints that a warning shows."""


@dataclass
class Heard:
    """What was printed."""

    bytes: int = 0
    text: str = ""

    def shown(self) -> str:
        """The beginning, on one line."""
        words = " ".join(self.text.split())
        return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


@contextmanager
def unheard() -> Iterator[Heard]:
    """Lets a body read nothing from stdin, and catches what it writes to stdout and stderr, by whatever way."""
    heard = Heard()
    with ExitStack() as undone:
        caught = undone.enter_context(_place())
        nothing = undone.enter_context(open(os.devnull))  # noqa: PTH123 - beside the descriptors
        _flush()
        undone.callback(_read, caught, heard)
        for descriptor, stand_in in ((0, nothing.fileno()), (1, caught.fileno()), (2, caught.fileno())):
            _redirect(undone, descriptor, stand_in)
        for name in ("stdout", "stderr"):
            _stand_in(undone, name, caught)
        undone.callback(setattr, sys, "stdin", sys.stdin)
        sys.stdin = nothing
        undone.callback(sys.argv.__setitem__, slice(None), sys.argv[:])
        sys.argv[:] = ARGUMENTS
        undone.callback(_flush)
        yield heard


def flush_c() -> None:
    """Writes out what libraries in C have printed and still hold back."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def _place() -> Any:
    try:
        return tempfile.TemporaryFile()
    except OSError:
        # No room anywhere: then it is lost, and nothing else.
        return open(os.devnull, "r+b")  # noqa: PTH123


def _redirect(undone: ExitStack, descriptor: int, stand_in: int) -> None:
    try:
        saved = os.dup(descriptor)
    except OSError:
        # Closed: nothing can be written to it.
        return
    undone.callback(os.close, saved)
    undone.callback(os.dup2, saved, descriptor)
    os.dup2(stand_in, descriptor)


def _stand_in(undone: ExitStack, name: str, caught: Any) -> None:
    """Replaces a stream that does not write to its descriptor, as notebooks and tests have them."""
    stream = getattr(sys, name)
    with suppress(Exception):
        if stream.fileno() in (1, 2):
            return
    passing = _Passing(name, caught)
    undone.callback(passing.end)
    undone.callback(setattr, sys, name, stream)
    setattr(sys, name, passing)


class _Passing(io.TextIOBase):
    """Catches what is written; afterwards hands it on, since loggers made meanwhile keep the stream."""

    def __init__(self, name: str, caught: Any) -> None:
        self._name = name
        self._caught: Any = caught

    def write(self, text: str) -> int:
        if self._caught is not None:
            self._caught.write(text.encode("utf-8", "replace"))
        else:
            stream: TextIO = getattr(sys, self._name)
            stream.write(text)
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        (self._caught or getattr(sys, self._name)).flush()

    def end(self) -> None:
        self._caught.flush()
        self._caught = None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    flush_c()


def _read(caught: Any, heard: Heard) -> None:
    with suppress(OSError):
        caught.flush()
        heard.bytes = os.fstat(caught.fileno()).st_size
        caught.seek(0)
        heard.text = caught.read(4 * _SHOWN).decode("utf-8", "replace")
