"""Folders that several users share: who may write where. The umask alone says what others may do with what is made."""

from __future__ import annotations

import os
import secrets
import warnings
from pathlib import Path

from rethinkdc.errors import StorageError
from rethinkdc.storage.reading import show_path
from rethinkdc.storage.writing import writable

LOST = "what this process makes for it is not kept"


def writable_throughout(folder: Path) -> bool:
    """Whether all that lies in ``folder`` can be read, written and removed, if it is there at all.

    What another user left half done may be of any permissions: then nothing of it is gone on with.
    """
    if not os.path.lexists(folder):
        return True
    unlisted: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=unlisted.append):
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return False
        if not all(os.access(os.path.join(place, name), os.R_OK | os.W_OK) for name in names):  # noqa: PTH118
            return False
    return not unlisted


def can_keep(cache_folder: Path, name: str, lost: str = LOST) -> bool:
    """Whether this process can write into the folder ``name`` of a cache; where not, that and what is lost is said."""
    try:
        if writable(cache_folder / name):
            return True
    except StorageError:
        # No matter of permissions: what is to be written now will say that there is no room.
        return True
    blamed = cache_folder / name if os.path.isdir(cache_folder / name) else cache_folder  # noqa: PTH112 - never raises
    warnings.warn(
        f"The cache folder {show_path(blamed)} cannot be written: {lost}. "
        "Choose another cache with --cache-dir or RETHINKDC_CACHE.",
        stacklevel=3,
    )
    return False


def temporary_folder(parent: Path, prefix: str) -> Path:
    """Makes a new folder that nobody else has: what it becomes is shared, so that ``tempfile`` would shut others out.

    Raises:
        OSError: ``parent`` is not there or cannot be written.
    """
    while True:
        folder = parent / f"{prefix}.{secrets.token_hex(8)}.tmp"
        try:
            folder.mkdir()
        except FileExistsError:  # pragma: no cover - one in 2 to the 64
            continue
        return folder
