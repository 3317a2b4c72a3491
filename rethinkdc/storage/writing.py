"""Atomic writing of files.

What a write that fails has on disk is removed at once. What a killed one left is removed an hour later, by the first
write of another process into the same folder.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from rethinkdc.errors import StorageError
from rethinkdc.storage.faults import storing

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.tmp")
_LEFT_BEHIND = 3600.0
"""Seconds after which nobody is still at a file or folder with a temporary name."""
_BLOCK = 1 << 20
_TRIED = 1 << 12
"""Bytes that are written to see whether a folder can be written to: a block, since an empty file may need none."""


def write_atomic(path: Path, payload: bytes, what: str = "") -> None:
    """Writes ``payload`` so that ``path`` is afterwards either the old file or the whole new one.

    Args:
        path: of the file; folders are made as needed.
        payload: its content.
        what: it is, for the error, where its name does not say so.

    Raises:
        StorageError: it cannot be written.
    """
    with storing(path, what, needed=len(payload)), _written(path, lambda file: file.write(payload)) as temporary:
        os.replace(temporary, path)  # noqa: PTH105 - the name by which tests interrupt it
        sync_folder(path.parent)


def write_new(path: Path, payload: bytes, what: str = "") -> bool:
    """As :func:`write_atomic`, unless something has that name already: two processes never share one.

    Returns:
        Whether it was written.
    """
    with storing(path, what, needed=len(payload)), _written(path, lambda file: file.write(payload)) as temporary:
        placed = _place(temporary, path)
        sync_folder(path.parent)
    return placed


def renew_file(path: Path) -> None:
    """Puts a copy in the place of a file, atomically: whoever has the file open goes on with what it was.

    Raises:
        OSError: it cannot be read.
        StorageError: it cannot be written.
    """
    with (
        path.open("rb") as file,
        storing(path, needed=os.fstat(file.fileno()).st_size),
        _written(path, lambda copy: shutil.copyfileobj(file, copy, _BLOCK)) as temporary,
    ):
        os.replace(temporary, path)  # noqa: PTH105 - as above
        sync_folder(path.parent)


def write_spaced(path: Path, size: int, head: bytes) -> None:
    """Makes, atomically, a file of ``size`` bytes that can be written through a memory map: ``head``, then zeros.

    Its bytes are taken on disk now, as a full disk ends a process that meets it in a map.

    Raises:
        StorageError: there is no room for it, or it cannot be written.
    """

    def fill(file: BinaryIO) -> None:
        take_space(file, size)
        file.write(head)

    with storing(path, needed=size), _written(path, fill) as temporary:
        os.replace(temporary, path)  # noqa: PTH105 - as above
        sync_folder(path.parent)


def take_space(file: BinaryIO, size: int) -> None:
    """Takes ``size`` bytes of disk for a new, empty file: by zeros where the file system cannot reserve them.

    Raises:
        OSError: there are fewer.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV):
                raise
    for begin in range(0, size, _BLOCK):
        file.write(bytes(min(_BLOCK, size - begin)))
    file.seek(0)


def write_file(path: Path, payload: bytes) -> None:
    """Writes a file of a folder that is being filled; :func:`~rethinkdc.storage.folders.commit_folder` flushes it.

    Raises:
        StorageError: it cannot be written.
    """
    with storing(path, needed=len(payload)):
        path.write_bytes(payload)


def copy_file(source: Path, target: Path) -> None:
    """Copies a file into a folder that is being filled.

    Raises:
        StorageError: it cannot be written.
    """
    with storing(target, needed=source.stat().st_size):
        shutil.copyfile(source, target)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, where they are missing.

    Raises:
        StorageError: it cannot be made.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def open_temporary(folder: Path, name: str) -> tuple[int, Path]:
    """Opens a new file that nobody else has, which will be called ``name``: its descriptor and its path.

    It has the permissions that the umask leaves, since what it becomes is shared; ``tempfile`` would shut others out.
    """
    while True:
        # Not longer than file systems allow, whatever the name.
        path = folder / f".{name[:50]}.{secrets.token_hex(8)}.tmp"
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), path
        except FileExistsError:  # pragma: no cover - one in 2 to the 64
            continue


def is_temporary(name: str) -> bool:
    """Whether a file or folder has this name only while it is written."""
    return bool(_TEMPORARY.fullmatch(name))


@cache
def clear_leftovers(folder: Path) -> None:
    """Removes what killed writes left in a folder an hour ago or longer; once in a process."""
    with suppress(OSError), os.scandir(folder) as found:
        left = [Path(entry.path) for entry in found if is_temporary(entry.name)]
        now = clock_of(folder) if left else 0.0
        for path in left:
            inside = path.rglob("*") if path.is_dir() else ()
            if now - max(one.lstat().st_mtime for one in (path, *inside)) > _LEFT_BEHIND:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def writable(folder: Path) -> bool:
    """Whether files can be made in ``folder`` (created if missing); tried, because permissions do not bind root.

    Raises:
        StorageError: they could be, and there is no room for one.
    """
    try:
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_TRIED))
                file.flush()
    except StorageError as error:
        if error.full:
            raise
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path, fill: Callable[[BinaryIO], object]) -> Iterator[Path]:
    """A whole file beside ``path``, on disk, under a temporary name; it is gone afterwards, under that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(path.parent)
    handle, temporary = open_temporary(path.parent, path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _place(temporary: Path, final: Path) -> bool:
    """Gives a whole file its name, unless the name is taken; returns whether it was free."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError:
        return _place_by_claim(temporary, final)
    return True


def _place_by_claim(temporary: Path, final: Path) -> bool:
    """The same without hard links (exFAT, some network mounts), where a rename alone would replace another's file.

    A file beside it claims the name, so that the name itself never shows a file that is not whole. A claim that a
    killed process left behind costs one name.
    """
    claim = final.with_suffix(".claim")
    try:
        with claim.open("x"):
            pass
    except FileExistsError:
        return False
    try:
        # Whoever had the claim before may have given it back after taking the name.
        if final.exists():
            return False
        temporary.rename(final)
        return True
    finally:
        claim.unlink()


def clock_of(folder: Path) -> float:
    """The time of the file system, which may be another machine's.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime
