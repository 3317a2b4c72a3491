"""Atomic, checksummed storage of files and folders.

A reader sees an artefact whole or not at all: everything is written under a temporary name beside its place, flushed
to disk and renamed. Folders carry a manifest of SHA-256 sums; single files ("sealed") begin with theirs.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rethinkdc.errors import DamagedError

MANIFEST = "manifest.json"
_DIGEST_BYTES = 32


def check_regular(path: Path) -> int:
    """The bytes of a regular file; a pipe would keep its reader waiting for ever, and a device may have no end.

    Raises:
        OSError: nothing is there, or something else.
    """
    status = path.stat()
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


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that digests are taken of: sorted keys, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON value's canonical spelling."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in blocks of 1 MiB."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 (hex) of a file, or of a folder's files with their names below it.

    Raises:
        OSError: nothing is there, or it cannot be read.
    """
    if not path.is_dir():
        return file_digest(path)
    files = sorted(found for found in path.rglob("*") if found.is_file())
    return digest({found.relative_to(path).as_posix(): file_digest(found) for found in files})


def write_atomic(path: Path, payload: bytes) -> None:
    """Writes ``payload`` so that ``path`` is afterwards either the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = open_temporary(path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the name by which tests interrupt it
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def open_temporary(folder: Path, prefix: str = "") -> tuple[int, Path]:
    """Opens a new file that nobody else has, for writing: its descriptor and its path.

    It has the permissions that the umask leaves, since what it becomes is shared; ``tempfile`` would shut others out.
    """
    while True:
        path = folder / f"{prefix}{secrets.token_hex(8)}.tmp"
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), path
        except FileExistsError:  # pragma: no cover - one in 2 to the 64
            continue


def write_sealed(path: Path, payload: bytes) -> None:
    """Writes ``payload`` behind its own SHA-256, atomically."""
    write_atomic(path, hashlib.sha256(payload).digest() + payload)


def read_sealed(path: Path) -> bytes:
    """Reads what :func:`write_sealed` wrote.

    Raises:
        DamagedError: the bytes do not match the checksum in front of them.
    """
    content = read_regular(path)
    seal, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != seal:
        raise DamagedError(f"{path} is damaged: its checksum does not match. Delete the file and run again.")
    return payload


class Part(NamedTuple):
    """What the making of a part took.

    Attributes:
        seconds: of the clock.
        images: that went through networks; None where they were not counted.
    """

    seconds: float
    images: int | None


def keep_part(path: Path, payload: Callable[[], bytes], images: Callable[[], int | None] = lambda: 0) -> Part | None:
    """Writes one part of a longer work to ``path`` unless it is there already, whole.

    The seal beside it, a checksum and what the making took, is written last: a part without one, or with another, is
    made again.

    Args:
        path: where it lies.
        payload: makes it.
        images: tells, when it is made, how many images the making put through networks; None = nobody knows.

    Returns:
        What the part took when it was made before; None when it was made now.
    """
    known = kept_part(path)
    if known is not None:
        return known
    begun = time.perf_counter()
    write_atomic(path, payload())
    spent = time.perf_counter() - begun
    _seal(path, path.with_suffix(".sealed"), Part(spent, images()))
    return None


def kept_part(path: Path) -> Part | None:
    """What a part took which :func:`keep_part` wrote; None when it is not there, or not whole."""
    seal = path.with_suffix(".sealed")
    if not (path.exists() and seal.exists()):
        return None
    checksum, seconds, *images = seal.read_text().split(" ")
    if checksum != file_digest(path):
        return None
    return Part(float(seconds), int(images[0]) if images else None)


def _seal(path: Path, seal: Path, part: Part) -> None:
    counted = "" if part.images is None else f" {part.images}"
    write_atomic(seal, f"{file_digest(path)} {part.seconds:.6f}{counted}".encode())


def commit_folder(temporary: Path, final: Path, free: Collection[str] = ()) -> None:
    """Adds a manifest to ``temporary``, flushes every file, and renames the folder to ``final``.

    When another process was faster, its folder stays and ours is removed: both hold the same content.

    Args:
        temporary: the folder as it was filled, beside its place.
        final: its place.
        free: names of files that people may change afterwards: the manifest does not list them.
    """
    files = sorted(path for path in temporary.rglob("*") if path.is_file())
    names = {path.relative_to(temporary).as_posix(): path for path in files}
    sums = {name: file_digest(path) for name, path in names.items() if name not in free}
    (temporary / MANIFEST).write_text(json.dumps(sums, indent=1, sort_keys=True))
    for path in [*files, temporary / MANIFEST]:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync_folder(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(temporary, final)  # noqa: PTH104 - beside the os.replace and os.fsync of the same step
    except OSError:
        if not (final / MANIFEST).exists():
            raise
        shutil.rmtree(temporary)
    _sync_folder(final.parent)


def verify_folder(folder: Path) -> None:
    """Checks a committed folder against its manifest.

    Raises:
        DamagedError: the manifest is missing or unreadable, or a file is missing or changed.
    """
    try:
        sums: dict[str, str] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DamagedError(f"{folder} has no readable {MANIFEST}: {error}.") from error
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(f"{path} is missing from a stored artefact.")
        if file_digest(path) != expected:
            raise DamagedError(f"{path} is damaged: its checksum does not match the manifest.")


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds an inter-process lock; the operating system frees it when the process dies."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(path)):
        yield


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Holds the lock of :func:`lock` if nobody does, without waiting; gives whether it holds it."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(str(path))
    try:
        held.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def writable(folder: Path) -> bool:
    """Whether files can be made in ``folder`` (created if missing); tried, because permissions do not bind root."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def show_path(path: Path | str) -> str:
    """A path that can be printed, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
