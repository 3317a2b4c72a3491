"""Who holds a lock, as it says itself in a note beside it, and the signs that it gives of being alive."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from contextlib import suppress
from datetime import datetime, timezone
from functools import cache
from getpass import getuser
from pathlib import Path
from typing import NamedTuple

from rethinkdc.texts import visible

_LOOK = 1.0
"""Seconds between two looks at a note."""
_MOST = 4096
"""Bytes of a note that are read."""
_TOKEN = re.compile(r"[0-9a-f]{16}")


class Holder(NamedTuple):
    """Who holds a lock, as it says itself.

    Attributes:
        user: name, or number where it has none.
        host: name of the machine.
        process: number.
        since: time in UTC, to the second.
        machine: what the process number is of: one start of one machine, and one space of numbers in it; empty = not
            told.
        began: when the process did, as the machine counts; empty = not told.
        token: of this holding, which no other has; empty = an earlier version's, which only locked.
    """

    user: str
    host: str
    process: int
    since: str
    machine: str = ""
    began: str = ""
    token: str = ""

    def __str__(self) -> str:
        return f"{self.user} on {self.host}, process {self.process}, since {self.since}"

    @property
    def has_ended(self) -> bool:
        """Whether its process is known to have ended: it was one of this machine, and runs no more."""
        here = self.machine == this_machine() if self.machine else self.host == socket.gethostname()
        return here and not _runs(self.process, self.began)


class Note(NamedTuple):
    """What was seen of a lock at one moment.

    Attributes:
        path: of the file.
        holder: who says that it holds the lock; None where that cannot be read.
        token: of the holding.
        stamp: changes with each sign of life.
    """

    path: Path
    holder: Holder | None
    token: str
    stamp: object

    @property
    def is_void(self) -> bool:
        """Whether nobody holds the lock by it, once the lock of the operating system is free here."""
        return self.holder is not None and (self.holder.has_ended or not self.holder.token)


class Signs:
    """The signs of life of whoever holds a lock, as they are seen from here.

    Attributes:
        note: what was seen last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.note: Note | None = None
        self._since = self._looked = time.monotonic()
        self._look()

    def silence(self) -> float:
        """Seconds since the first look, or since something was last seen to change."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            before, self._looked = self.note, now
            self._look()
            if self.note != before:
                self._since = now
        return now - self._since

    def _look(self) -> None:
        # While a network file system is gone, nobody can give signs.
        self.note = None
        with suppress(OSError):
            self.note = last_note(self._path)


def note_of(path: Path) -> Path:
    """Where the holder of a lock says who it is."""
    return path.with_suffix(".holder")


def heir_of(path: Path, token: str) -> Path:
    """Where whoever comes after a holding says who it is, until its note takes the place of the former."""
    return path.with_suffix(f".{token}.heir")


def last_note(path: Path) -> Note | None:
    """The note that counts: that of the last heir, if the holder has one. None = there is none.

    Raises:
        OSError: nobody can tell at the moment.
    """
    found = notes_of(path)
    return found[-1] if found else None


def notes_of(path: Path) -> list[Note]:
    """The note of a holder, that of its heir, and so on.

    Raises:
        OSError: nobody can tell at the moment.
    """
    found: list[Note] = []
    note = _read(note_of(path))
    while note and note.token not in {one.token for one in found}:
        found.append(note)
        note = _read(heir_of(path, note.token))
    return found


def holder_of(path: Path) -> Holder | None:
    """Who says that it holds a lock; None where nobody does, or one that cannot be it."""
    with suppress(OSError):
        note = last_note(path)
        if note and note.holder and not note.holder.has_ended:
            return note.holder
    return None


def this_holder(token: str) -> Holder:
    """This process, from now on."""
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    process = os.getpid()
    return Holder(_user(), socket.gethostname(), process, since, this_machine(), _state(process)[1], token)


@cache
def this_machine() -> str:
    """What process numbers are of: hosts may have one name, and a machine that was started anew counts anew."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{started} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path
    except OSError:
        return socket.gethostname()


def _read(file: Path) -> Note | None:
    """The note in a file. It is opened, since a network file system looks again only then.

    Raises:
        OSError: it may be there, and cannot be looked at.
    """
    try:
        with file.open("rb") as opened:
            about, content = os.fstat(opened.fileno()), opened.read(_MOST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        # Another user's, who keeps it to himself: it can be seen to change.
        about, content = file.stat(), b""
    holder = _parse(content)
    # What says nothing of itself yet has a name all the same.
    token = holder.token if holder and holder.token else f"{about.st_ino:x}-{about.st_ctime_ns:x}"
    return Note(file, holder, token, (about.st_ino, about.st_mtime_ns, about.st_ctime_ns))


def _parse(content: bytes) -> Holder | None:
    try:
        told = Holder(**json.loads(content))
        texts = {name: visible(str(text)) for name, text in told._asdict().items() if name != "process"}
        holder = Holder(process=int(told.process), **texts)
    except (ValueError, TypeError, RecursionError):
        return None
    # It becomes part of a file's name.
    return holder if _TOKEN.fullmatch(holder.token) else holder._replace(token="")


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, as in containers
        return f"user {os.getuid()}"


def _runs(process: int, began: str) -> bool:
    """Whether a process of this machine runs, and is the one that began then."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    state, since = _state(process)
    return state not in ("Z", "X") and (not began or not since or began == since)


def _state(process: int) -> tuple[str, str]:
    """The state of a process and when it began, as Linux tells them; empty where nobody does."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return words[0], words[19]
    except (OSError, IndexError, ValueError):
        return "", ""
