"""Locks of the operating system, which frees them when a process ends, however it does."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}


def take_flock(path: Path) -> int | None:
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


def free_flock(descriptor: int) -> None:
    """Frees a lock that :func:`take_flock` took."""
    # Before it is closed: a process that was forked meanwhile has it open too.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


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
