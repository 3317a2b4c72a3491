"""Atomic writing of files; those that are "sealed" begin with the checksum of what follows."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from rethinkdc.errors import DamagedError
from rethinkdc.storage.reading import read_regular

_DIGEST_BYTES = 32


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
    sync_folder(path.parent)


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


def writable(folder: Path) -> bool:
    """Whether files can be made in ``folder`` (created if missing); tried, because permissions do not bind root."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
