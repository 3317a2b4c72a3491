"""Sealed files: each begins with the checksum of what follows."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

from rethinkdc.errors import DamagedError, StorageError
from rethinkdc.storage.reading import is_no_file, read_regular, show_path
from rethinkdc.storage.writing import write_atomic

_DIGEST_BYTES = 32


def write_sealed(path: Path, payload: bytes, what: str = "") -> None:
    """Writes ``payload`` behind its own SHA-256, atomically."""
    write_atomic(path, hashlib.sha256(payload).digest() + payload, what)


def remember(path: Path, payload: bytes) -> None:
    """As :func:`write_sealed`, of what only spares time: where it cannot be written, that is said, and no error."""
    try:
        write_sealed(path, payload)
    except StorageError as error:
        # The same words for all of a folder, so that they are said once.
        told = f"Nothing new is remembered in {show_path(path.parent)} ({error.strerror}): it is worked out again."
        warnings.warn(told, stacklevel=2)


def read_sealed(path: Path) -> bytes:
    """Reads what :func:`write_sealed` wrote.

    Raises:
        DamagedError: the bytes do not match the checksum in front of them, or it is no file.
        OSError: nothing is there, or it cannot be read.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError) or not is_no_file(error):
            raise
        raise DamagedError(f"{path} is damaged: {error.strerror}. Remove it and run again.") from None
    seal, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != seal:
        raise DamagedError(f"{path} is damaged: its checksum does not match. Delete the file and run again.")
    return payload
