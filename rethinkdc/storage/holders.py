"""Who holds a lock, as it says itself in a note beside it, and the signs that it gives of being alive."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from datetime import datetime, timezone
from getpass import getuser
from pathlib import Path
from typing import NamedTuple

from rethinkdc.storage.writing import open_temporary
from rethinkdc.texts import visible

_LOOK = 1.0
"""Seconds between two looks at a note."""
_MOST = 4096
"""Bytes of a note that are read."""


class Holder(NamedTuple):
    """Who holds a lock, as it says itself.

    Attributes:
        user: name, or number where it has none.
        host: name of the machine.
        process: number.
        since: time in UTC, to the second.
    """

    user: str
    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"{self.user} on {self.host}, process {self.process}, since {self.since}"


class Signs:
    """The signs of life of whoever holds a lock, as they are seen from here."""

    def __init__(self, path: Path) -> None:
        self._note = note_of(path)
        self._seen: object = None
        self._since = self._looked = time.monotonic()

    def silence(self) -> float:
        """Seconds since the first look, or since something was last seen to change."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked, seen = now, _stamp(self._note)
            if seen != self._seen:
                self._seen, self._since = seen, now
        return now - self._since


def note_of(path: Path) -> Path:
    """Where the holder of a lock says who it is."""
    return path.with_suffix(".holder")


def holder_of(path: Path) -> Holder | None:
    """Who says that it holds a lock; None where nobody does, or one that cannot be it."""
    try:
        with note_of(path).open("rb") as file:
            told = Holder(**json.loads(file.read(_MOST)))
        holder = Holder(visible(str(told.user)), visible(str(told.host)), int(told.process), visible(str(told.since)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return None if holder.host == socket.gethostname() and not _runs(holder.process) else holder


def write_note(note: Path) -> None:
    """Says who holds a lock, if it can. Not flushed to disk: nothing depends on it after a crash."""
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    holder = Holder(_user(), socket.gethostname(), os.getpid(), since)
    with suppress(OSError):
        descriptor, temporary = open_temporary(note.parent, note.name)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(json.dumps(holder._asdict()))
            temporary.replace(note)
        except OSError:
            temporary.unlink(missing_ok=True)


def _stamp(note: Path) -> object:
    """Changes with each sign of life. Opened, since a network file system looks again only then."""
    try:
        with note.open("rb") as file:
            about = os.fstat(file.fileno())
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_ctime_ns


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, as in containers
        return f"user {os.getuid()}"


def _runs(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True
