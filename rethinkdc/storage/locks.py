"""Locks between processes, of whatever users and hosts, and who holds them.

Two things make a lock. ``flock`` on an empty file that stays where it is: it is fast, and the operating system frees it
when its process ends, however it does; but a file system that hosts share may lock for one host alone. And a note
beside it, which one process of all hosts can make (:mod:`rethinkdc.storage.succession`): it says who holds the lock,
and its holder touches it for as long as it lives. A note of a process of this machine that has ended is void at once. A
file that another user made, and that can only be read, is locked as it is.

A holder that gives no sign of life for :data:`PATIENCE`, as a host that is dead or a process that was stopped, loses
its lease to whoever waits. Signs of life are seen to change, by the clock of whoever waits: times of day, its own or
those of others, decide nothing. A holder that comes back looks before it keeps anything
(:func:`~rethinkdc.storage.leases.fence`); what it keeps in the moment between is harmless: what is made under a lock is
named by all that it depends on, and takes its place by a rename.

There is one fallback, for all that may be wrong with a lock: whoever asks is told that it does not hold it, and goes on
in a place of its own. So it is where the file cannot be made or opened; where the file system has no locks or fails
(ENOSYS, EOPNOTSUPP, EINVAL, ENOLCK, EIO or whatever else); and where a silent holder left no note or one that cannot be
replaced. Work may then be done twice, and never is mixed.
"""

from __future__ import annotations

import errno
import math
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rethinkdc.storage.faults import FULL, storage_error
from rethinkdc.storage.flocks import free_flock, take_flock
from rethinkdc.storage.holders import Note, Signs, holder_of, last_note
from rethinkdc.storage.leases import Lease
from rethinkdc.storage.reading import show_path
from rethinkdc.storage.succession import claim, succeed

PATIENCE = 120.0
"""Seconds without a sign of life after which a holder is no longer waited for."""
_SPEAKS = 2.0
"""Seconds of waiting until it is told."""
_AGAIN = 300.0
"""Seconds until it is told again."""
_POLLS = (0.05, 1.0)
"""Seconds between two tries: at first, and after a longer wait, so that many who wait ask little of a server."""
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


class WaitingWarning(UserWarning):
    """Says that this process waits, and for whom: it is of use at once or not at all."""


@contextmanager
def lock(path: Path) -> Iterator[Lease | None]:
    """Holds an inter-process lock, waiting for whoever does, and says for whom when that takes long.

    Gives None where it is not held: there, see above, nothing that others share may be touched.

    Raises:
        StorageError: there is no room for its file, and none for the work either.
    """
    lease = _wait(path)
    try:
        yield lease
    finally:
        if lease:
            lease.release()


@contextmanager
def try_lock(path: Path) -> Iterator[Lease | None]:
    """Holds the lock of :func:`lock` if nobody does, without waiting; gives None if it does not hold it."""
    try:
        lease = _take(path)
    except OSError:
        lease = None
    try:
        yield lease
    finally:
        if lease:
            lease.release()


def acquire(path: Path, *, patience: float) -> Lease | None:
    """Takes a lock that becomes free within ``patience`` seconds; None when it does not.

    Raises:
        OSError: locks cannot be had here.
    """
    until = time.monotonic() + patience
    while (lease := _take(path)) is None:
        if time.monotonic() >= until:
            return None
        time.sleep(_POLLS[0])
    return lease


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock, as far as can be told from here; whoever asks at the same moment looks so too."""
    if not os.path.lexists(path):
        return False
    try:
        descriptor = take_flock(path)
        if descriptor is None:
            return True
        free_flock(descriptor)
        note = last_note(path)
    except OSError:
        return True
    return note is not None and not note.is_void


class Watch:
    """Whether the holder of a lock lives, as it is seen from here over time.

    The lock of a dead host may stay held for ever: whoever gives no sign of life holds nothing.

    Args:
        path: of the lock.
        patience: seconds without a sign of life, if fewer than :data:`PATIENCE`.
    """

    def __init__(self, path: Path, patience: float = math.inf) -> None:
        self._path, self._patience, self._signs = path, patience, Signs(path)

    def lives(self) -> bool:
        """Whether somebody holds it and was heard of; only what is asked again and again sees a silence."""
        return is_held(self._path) and self._signs.silence() <= min(PATIENCE, self._patience)


def _wait(path: Path) -> Lease | None:
    begun, signs, told = time.monotonic(), Signs(path), _SPEAKS - _AGAIN
    try:
        while (lease := _take(path)) is None:
            waited = time.monotonic() - begun
            if signs.silence() > PATIENCE:
                if signs.note is None or not os.access(path.parent, os.W_OK):
                    _warn(
                        f"{_silent(path, signs.note)} It cannot be taken over: what it guards is made here once more, "
                        "in a temporary folder of this process."
                    )
                    return None
                if lease := _take_over(path, signs.note):
                    return lease
            if waited - told >= _AGAIN:
                told = waited
                _warn(
                    f"Waiting for the lock {show_path(path)}, for {waited:.0f} s so far. It is held by "
                    f"{holder_of(path) or 'a process that left no word of itself'}.",
                    WaitingWarning,
                )
            time.sleep(min(max(_POLLS[0], waited / 20), _POLLS[1]))
    except OSError as error:
        if error.errno in FULL:
            raise storage_error(error, path, "the lock") from error
        _warn(
            f"Locks cannot be had in {show_path(path.parent)} ({error.strerror or error}): what they guard is worked "
            "on in a temporary folder of this process, so that others may do it a second time, and a kill loses it. "
            "Choose another cache with --cache-dir or RETHINKDC_CACHE."
        )
        return None
    return lease


def _take(path: Path) -> Lease | None:
    """The lock, where nobody holds it; None where somebody does.

    Raises:
        OSError: locks cannot be had here.
    """
    descriptor = take_flock(path)
    if descriptor is None:
        return None
    try:
        token = _take_note(path)
    except BaseException:
        free_flock(descriptor)
        raise
    if token is None:
        free_flock(descriptor)
        return None
    return Lease(path, descriptor, token)


def _take_note(path: Path) -> str | None:
    """The token of our note, empty where notes cannot be made; None where another host's process holds the lock."""
    try:
        note = last_note(path)
        if note is None:
            return claim(path)
        return succeed(path, note) if note.is_void else None
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        return ""


def _take_over(path: Path, note: Note) -> Lease | None:
    """The lock of a holder that gives no sign of life; None where another was faster."""
    token = succeed(path, note)
    if token is None:
        return None
    _warn(f"{_silent(path, note)} This process takes it over, and goes on with the work that was left.")
    descriptor = None
    # Whatever becomes of it, the note holds.
    with suppress(OSError):
        descriptor = take_flock(path)
        if descriptor is None:
            # A dead host's may never be freed: of the file that comes in its place it locks nothing.
            path.unlink()
            descriptor = take_flock(path)
    return Lease(path, descriptor, token, inherited=True)


def _silent(path: Path, note: Note | None) -> str:
    holder = note.holder if note else None
    return (
        f"Whoever holds the lock {show_path(path)} has given no sign of life for {PATIENCE:.0f} s "
        f"({holder or 'it left no word of itself'})."
    )


def _warn(text: str, category: type[UserWarning] = UserWarning) -> None:
    warnings.warn(text, category, stacklevel=5)
