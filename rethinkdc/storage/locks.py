"""Locks between processes, of whatever users and hosts, and who holds them.

A lock is ``flock`` on an empty file that stays where it is: the operating system frees it when its process ends,
however it does. A file that another user made, and that can only be read, is locked as it is. Beside it lies a note
that says who holds it; its holder touches the note for as long as it lives.

There is one fallback, for all that may be wrong with a lock: whoever asks is told that it does not hold it, and goes on
in a place of its own. So it is where the file cannot be made or opened; where the file system has no locks or fails
(ENOSYS, EOPNOTSUPP, EINVAL, ENOLCK, EIO or whatever else); and where a holder, which may be a host that is dead, gives
no sign of life for :data:`PATIENCE`. What is made under a lock is named by all that it depends on and takes its place
by a rename, so that work may be done twice, and never is mixed. No lock is ever broken. Signs of life are seen to
change, by the clock of whoever waits: times of day, its own or those of others, decide nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from rethinkdc.storage.faults import FULL, storage_error
from rethinkdc.storage.holders import Signs, holder_of, note_of, write_note
from rethinkdc.storage.reading import show_path

PATIENCE = 120.0
"""Seconds without a sign of life after which a holder is no longer waited for."""
_BEAT = 10.0
"""Seconds between two signs of life."""
_SETTLES = 1.0
"""Seconds that a lock is held before a note is written: what is soon over needs none."""
_SPEAKS = 2.0
"""Seconds of waiting until it is told."""
_AGAIN = 300.0
"""Seconds until it is told again."""
_POLL = 0.05
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}


class WaitingWarning(UserWarning):
    """Says that this process waits, and for whom: it is of use at once or not at all."""


class Held:
    """A lock that this process holds until :meth:`release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._note, self._descriptor = note_of(path), descriptor
        self._ended = Event()
        self._thread = Thread(target=self._give_signs, name="rethinkdc-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Frees the lock; the note goes first, so that it never names the next holder."""
        self._ended.set()
        self._thread.join()
        _close(self._descriptor)

    def _give_signs(self) -> None:
        if not self._ended.wait(_SETTLES):
            write_note(self._note)
        while not self._ended.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._note)
        # Also what a holder that was killed left.
        with suppress(OSError):
            self._note.unlink()


@contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Holds an inter-process lock, waiting for whoever does, and says for whom when that takes long.

    Gives whether it is held: where it is not, see above, nothing that others share may be touched.

    Raises:
        StorageError: there is no room for its file, and none for the work either.
    """
    held = _wait(path)
    try:
        yield held is not None
    finally:
        if held:
            held.release()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Holds the lock of :func:`lock` if nobody does, without waiting; gives whether it holds it."""
    try:
        held = acquire(path, patience=0.0)
    except OSError:
        held = None
    try:
        yield held is not None
    finally:
        if held:
            held.release()


def acquire(path: Path, *, patience: float) -> Held | None:
    """Takes a lock that becomes free within ``patience`` seconds; None when it does not.

    Raises:
        OSError: locks cannot be had here.
    """
    until = time.monotonic() + patience
    while (descriptor := _take(path)) is None:
        if time.monotonic() >= until:
            return None
        time.sleep(_POLL)
    return Held(path, descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock, as far as can be told from here; whoever asks at the same moment looks so too."""
    if not os.path.lexists(path):
        return False
    try:
        descriptor = _take(path)
    except OSError:
        return True
    if descriptor is not None:
        _close(descriptor)
    return descriptor is None


def _wait(path: Path) -> Held | None:
    begun, signs, told = time.monotonic(), Signs(path), _SPEAKS - _AGAIN
    try:
        while (descriptor := _take(path)) is None:
            waited = time.monotonic() - begun
            if signs.silence() > PATIENCE:
                _warn(
                    f"Whoever holds the lock {show_path(path)} has given no sign of life for {PATIENCE:.0f} s "
                    f"({holder_of(path) or 'it left no word of itself'}). What it guards is made here once more, in "
                    "a temporary folder of this process."
                )
                return None
            if waited - told >= _AGAIN:
                told = waited
                _warn(
                    f"Waiting for the lock {show_path(path)}, for {waited:.0f} s so far. It is held by "
                    f"{holder_of(path) or 'a process that left no word of itself'}.",
                    WaitingWarning,
                )
            time.sleep(_POLL)
    except OSError as error:
        if error.errno in FULL:
            raise storage_error(error, path, "the lock") from error
        _warn(
            f"Locks cannot be had in {show_path(path.parent)} ({error.strerror or error}): what they guard is worked "
            "on in a temporary folder of this process, so that others may do it a second time, and a kill loses it. "
            "Choose another cache with --cache-dir or RETHINKDC_CACHE."
        )
        return None
    return Held(path, descriptor)


def _take(path: Path) -> int | None:
    """The descriptor of a lock that is ours now; None while it is another's.

    Raises:
        OSError: locks cannot be had here.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A file that was removed meanwhile locks nothing: the next to come makes another.
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # noqa: PTH116 - beside its twin
            return descriptor
    except OSError as error:
        os.close(descriptor)
        if error.errno in _TAKEN or isinstance(error, FileNotFoundError):
            return None
        raise
    os.close(descriptor)
    return None


def _open(path: Path) -> int:
    """Opens the file of a lock, with the permissions that the umask leaves where it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Where others may make files too, a link could lead out of the folder.
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except OSError as refused:
        # Another user's, or on a file system that is only read.
        try:
            return os.open(path, os.O_RDONLY | flags)
        except FileNotFoundError:
            raise refused from None


def _close(descriptor: int) -> None:
    # Before it is closed: a process that was forked meanwhile has it open too.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _warn(text: str, category: type[UserWarning] = UserWarning) -> None:
    warnings.warn(text, category, stacklevel=5)
