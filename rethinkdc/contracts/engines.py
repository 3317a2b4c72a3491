"""Engines: where the runs of a sweep are made, in processes of this machine or of others.

An engine knows nothing of runs. It starts a command line so many times, wherever there is room, and tells which of the
processes go on. Each of them takes one run after another off a file that all see, and ends when none is left for it.
What they make are files: artefacts in the cache, checkpoints, records. So an engine may end a process at any time and
start the command again, anywhere: it goes on from what is kept.
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import ClassVar

from rethinkdc.method import Method

STOPS = 10.0
"""Seconds that a process which is asked to end has to keep its work."""
_POLL = 0.05
_LOG = ".log"
_LINES = 3


class Crew:
    """The processes that an engine started, or that wait for their place."""

    def running(self) -> int:
        """How many have not ended: those that wait for a place too, and those that the engine starts again."""
        raise NotImplementedError

    def said(self) -> str:
        """Why those ended that did, as far as anybody knows: the end of an error, or of a log; empty = nobody does."""
        return ""

    def leave(self) -> str:
        """What becomes of them when the sweep is interrupted: empty = they are stopped.

        Otherwise they are let go on, and this is the sentence that says so, and how to end them.
        """
        return ""

    def stop(self) -> None:
        """Ends all that have not ended, with :data:`STOPS` seconds to keep their work, and what they were started in.

        Called at the end of every sweep that is not left, also where none is running. The commands were asked to end
        before, through the files that they see.
        """
        raise NotImplementedError


class Engine(Method):
    """Gives a sweep the processes that make its runs. A run's result never depends on the engine.

    ``here``: the sweep's own processes make the runs, and nothing is started by the engine.
    """

    kind: ClassVar[str] = "engine"
    here: ClassVar[bool] = False

    def check(self) -> None:
        """Refuses what can be seen to fail before anything is started, without asking a cluster.

        Raises:
            RequestError: a package is missing; says how to install it.
        """

    def slots(self, jobs: int) -> int:
        """How many processes work side by side, where the user asks for ``jobs`` (``--jobs``).

        Raises:
            RequestError: two parameters contradict each other.
        """
        return jobs

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        """Starts a command line ``count`` times, each in the environment and on the files of this process.

        Args:
            command: program and arguments. It ends with the process that started it, as soon as that is gone.
            count: processes.
            folder: for files of the engine's own, such as logs; all hosts see it.

        Raises:
            RequestError: there is no such cluster, or it has less than is asked for; says what it has.
        """
        raise NotImplementedError


class Command:
    """A command line that an engine was given, in a process that the engine started: it ends where the block ends.

    Nothing here takes a lock, so that handlers of signals may call it.

    Args:
        words: program and arguments.
        folder: for its log; see :func:`last_words`.
        environment: variables that it has beside those of this process.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        log = folder / f"{socket.gethostname()}-{os.getpid()}{_LOG}"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **(environment or {})},
                # What is sent to the group of a terminal is for whoever waits here to hand on.
                start_new_session=True,
            )
        self._codes: list[int] = []
        Thread(target=lambda: self._codes.append(self._process.wait()), daemon=True).start()

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait(self, seconds: float = math.inf) -> int | None:
        """Its exit code, negative for a signal; None where it has not ended after so many seconds."""
        until = time.monotonic() + seconds
        while not self._codes and time.monotonic() < until:
            time.sleep(_POLL)
        return self._codes[0] if self._codes else None

    def end(self) -> None:
        """Ends it if it has not ended, with :data:`STOPS` seconds to keep its work."""
        if self._codes:
            return
        self._process.terminate()
        if self.wait(STOPS) is None:
            self._process.kill()
            self.wait()


def last_words(folder: Path) -> str:
    """What the command wrote last that wrote last of those with a log in a folder; empty = none wrote anything."""
    logs = sorted(folder.glob(f"*{_LOG}"), key=lambda log: log.stat().st_mtime_ns)
    for log in reversed(logs):
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if lines:
            return " ".join(line.strip() for line in lines[-_LINES:])
    return ""


__all__ = ["STOPS", "Command", "Crew", "Engine", "last_words"]
