"""Reading of regular files, and names of files that can be printed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from rethinkdc.errors import RequestError


def check_regular(path: Path) -> int:
    """The bytes of a regular file; a pipe would keep its reader waiting for ever, and a device may have no end.

    Raises:
        OSError: nothing is there, something else, or the path is no name of a file.
    """
    try:
        status = path.stat()
    except ValueError as error:  # a NUL, or half a character
        raise OSError(errno.EINVAL, f"It is no name of a file ({error})", show_path(path)) from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), show_path(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "It is no regular file", show_path(path))
    return status.st_size


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file, whose size is seen before memory is asked for.

    Args:
        path: of the file.
        most: bytes that it may have; None = any.

    Raises:
        OSError: nothing is there, something else, or more bytes than may be.
    """
    size = check_regular(path)
    if most is not None and size > most:
        raise OSError(errno.EFBIG, f"It has {size:,} bytes, and may have {most:,}", show_path(path))
    return path.read_bytes()


def is_no_file(error: OSError) -> bool:
    """Whether reading failed for what lies in the place of a file, or does not; else the file may be whole."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP)


def expand_home(path: Path) -> Path:
    """The path with a leading ``~`` or ``~user`` in full.

    Raises:
        RequestError: nobody has this name.
    """
    try:
        return path.expanduser()
    except (RuntimeError, ValueError):
        raise RequestError(
            f"{show_path(path)} is in the home of nobody who is known here. Give the whole path."
        ) from None


def show_path(path: Path | str) -> str:
    """A path that can be printed, whatever bytes its name is made of."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return str(path).encode("utf-8", "backslashreplace").decode()
