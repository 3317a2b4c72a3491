"""Processes that play hosts on one file system: each has a name, and locks of the operating system, of its own.

A host that is stopped gives no sign of life, as one that is dead; it may come back.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLAYS = """
import fcntl, socket, sys, time
from pathlib import Path
from rethinkdc.storage import holders, leases, locks
name, patience = sys.argv[1], float(sys.argv[2])
socket.gethostname = lambda: name
holders.this_machine = lambda: name
fcntl.flock = lambda *_: None
locks.PATIENCE, holders._LOOK, leases._BEAT = patience, 0.02, 0.02
def tell(word):
    print(word, flush=True)
def hear():
    return sys.stdin.readline().strip()
"""
"""How a host begins: ``flock`` locks nothing for others, and no process number is looked at from another host."""


class Host:
    """A process that plays one."""

    def __init__(self, name: str, does: str, *words: object, patience: float = 600.0) -> None:
        argv = [sys.executable, "-c", PLAYS + does, name, str(patience), *map(str, words)]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def heard(self, word: str) -> None:
        """Waits until it says a word; it has said nothing else before."""
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line == word, (line, self.process.stderr.read() if not line and self.process.stderr else "")

    def say(self, word: str = "go") -> None:
        """Says a word to it."""
        assert self.process.stdin
        print(word, file=self.process.stdin, flush=True)

    def stop(self) -> None:
        """From now on it gives no sign of life."""
        self.process.send_signal(signal.SIGSTOP)

    def come_back(self) -> None:
        """It goes on where it was."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> tuple[list[str], str]:
        """Waits for its end; gives the lines that it said, and its warnings."""
        out, err = self.process.communicate(timeout=600)
        assert self.process.returncode == 0, err
        return out.splitlines(), err


@contextmanager
def gone_afterwards(*hosts: Host) -> Iterator[None]:
    """Ends hosts that are still there, however a test ends."""
    try:
        yield
    finally:
        for host in hosts:
            host.process.kill()
            host.process.communicate()


def names_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
