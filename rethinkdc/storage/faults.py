"""What keeps a file from being written, in words: what, where, how much room there is, and what to do next."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rethinkdc.errors import StorageError
from rethinkdc.storage.reading import show_path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What making room would mend."""
_OPENED = frozenset({errno.EMFILE, errno.ENFILE})
_OF_MACHINE = FULL | _OPENED | {errno.EROFS}
"""What tells of the machine rather than of a file, and of writing rather than of reading, whoever met it."""
_TOLD = re.compile(r"\(os error (\d+)\)")
_MAKING = re.compile(r"(?<![^/])\.(?:making-([^/]+?)|([^/]+?)\.[0-9a-f]{16}\.tmp)(?![^/])")
"""A name in a path that a folder or file has only while it is made."""
_MAKE_ROOM = "Make room there, or choose a folder on another disk"
_NAME_TAKEN = "Something else has a name on this path: move it away, or choose another folder"
_OPEN_FILES = "Raise the limit of open files (ulimit -n), or use fewer --workers and --jobs"
_NOT_WRITABLE = "Choose a folder that can be written"
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: "Remove files of yours there, or choose a folder on another disk",
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EROFS: _NOT_WRITABLE,
    errno.EMFILE: _OPEN_FILES,
    errno.ENFILE: _OPEN_FILES,
    errno.EFBIG: "Files may not be as large there: see ulimit -f, or choose a folder on another disk",
    errno.ENAMETOOLONG: "Choose a folder with a shorter path",
    errno.ENOTDIR: _NAME_TAKEN,
    errno.EISDIR: _NAME_TAKEN,
    errno.EEXIST: _NAME_TAKEN,
    errno.ENOTEMPTY: _NAME_TAKEN,
    errno.ELOOP: _NAME_TAKEN,
}
_KEPT = "what was finished before is kept, and the same command goes on from there"


@contextmanager
def storing(path: Path, what: str = "", *, needed: int | None = None) -> Iterator[None]:
    """Names what is written in the error of writing it.

    Args:
        path: the file or folder that is written.
        what: it is, where its name does not say so, such as ``the record``.
        needed: bytes that it takes, where they are known.

    Raises:
        StorageError: the operating system refused.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, what, needed=needed) from error


def storage_error(error: OSError, path: Path | str, what: str = "", *, needed: int | None = None) -> StorageError:
    """The error of writing ``path``, in words; arguments as :func:`storing` has them."""
    code = error.errno
    named = f"{what} {_name(path)}" if what else _name(path)
    # As the system calls it: some libraries tell more, and the number twice.
    refused = os.strerror(code) if code else str(error)
    reason = [refused, *_elsewhere(error, path), *_room(code, Path(path), needed)]
    advice = _ADVICE.get(code or 0, "Look at what is there and at the disk's health, or choose another folder")
    verb = "open" if code in _OPENED else "write"
    told = StorageError(f"Cannot {verb} {named}: {', '.join(reason)}. {advice}; {_KEPT}.")
    told.errno, told.strerror, told.filename, told.full = code, refused, str(path), code in FULL
    return told


def fault_of_machine(error: BaseException) -> StorageError | None:
    """The error of storage that another one is or began with, which any other work on this machine would meet too."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, StorageError):
            return seen
        system = system_error(seen)
        if system and system.errno in _OF_MACHINE:
            return storage_error(system, os.fsdecode(system.filename or "a file"))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def system_error(error: BaseException) -> OSError | None:
    """The error of the operating system that another one is, or tells of as libraries in Rust do; None = of none."""
    if isinstance(error, OSError):
        return error
    try:
        told = _TOLD.search(str(error))
    except BaseException:
        # What others raise may raise again when it is asked what it is.
        return None
    return OSError(int(told[1]), os.strerror(int(told[1]))) if told else None


def _name(path: Path | str) -> str:
    """The path as it will be called when it is whole."""
    return _MAKING.sub(lambda found: found[1] or found[2], show_path(path))


def _elsewhere(error: OSError, path: Path | str) -> list[str]:
    """The place that refused, where it is another one than the file or what it is called while it is written."""
    # An error of two files, such as that of a copy, names first the one that is whole.
    if not isinstance(error.filename, str | bytes) or error.filename2 is not None:
        return []
    at = Path(os.fsdecode(error.filename))
    return [] if at == Path(path) or at.suffix == ".tmp" else [f"at {show_path(at)}"]


def _room(code: int | None, path: Path, needed: int | None) -> list[str]:
    """What is needed, and what is free where that is the matter."""
    wanted = [] if needed is None else [f"{needed:,} bytes needed"]
    if code == errno.EFBIG:
        return wanted
    if code != errno.ENOSPC or not hasattr(os, "statvfs"):
        return []
    place = next((folder for folder in (path, *path.absolute().parents) if folder.is_dir()), Path("/"))
    try:
        state = os.statvfs(place)
    except OSError:
        return wanted
    if state.f_files and not state.f_favail:
        return [*wanted, "no further file free"]
    return [*wanted, f"{state.f_bavail * state.f_frsize:,} bytes free"]
