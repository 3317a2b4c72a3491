"""Putting an artefact that was made again in the place of the one that was there, of which nothing is lost."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from rethinkdc.context.books import FILE as BOOKS
from rethinkdc.errors import DamagedError
from rethinkdc.storage import (
    digest,
    file_digest,
    make_folder,
    read_manifest,
    storing,
    temporary_folder,
    verify_folder,
)

REPLACED = "replaced"
"""The kind of what artefacts were before they were made again."""
_ANEW = "anew"
"""Lies in the working folder of an artefact that is being made again."""


def begin_anew(work: Path) -> None:
    """Clears a working folder, but for what this making again left there: older work may be what was wrong."""
    if not (work / _ANEW).exists():
        shutil.rmtree(work, ignore_errors=True)
        make_folder(work)
        with storing(work):
            (work / _ANEW).touch()


def give_way(there: Path, made: Path, place: Path) -> bool:
    """Whether an artefact that is there gives way to one that was made again: it stays where both hold the same.

    Args:
        there: the folder of the artefact, if it is there.
        made: the folder that holds it anew.
        place: where it is set aside, less the end of its name.

    Raises:
        StorageError: it cannot be moved.
    """
    if not os.path.isdir(there):  # noqa: PTH112 - does not raise where this user may not look
        return True
    before = _contents(there)
    if before and before == _digests(made):
        return False
    aside = place.with_name(f"{place.name}-{digest(before)[:12]}")
    make_folder(place.parent)
    with storing(there, "anew what lies in"):
        if not before or os.path.isdir(aside):  # noqa: PTH112 - as above
            remove_folder(there)
        else:
            there.rename(aside)
    return True


def remove_folder(folder: Path) -> None:
    """Removes a folder that other processes may be removing as well: whoever moves it away first does."""
    with suppress(OSError):  # another user's stays, and is passed by
        away = temporary_folder(folder.parent, ".damaged")
        with suppress(OSError):
            folder.rename(away / folder.name)
        shutil.rmtree(away, ignore_errors=True)


def _contents(folder: Path) -> dict[str, str]:
    """The checksums of an artefact's files, beside the books of its making; none of a damaged one."""
    try:
        verify_folder(folder)
        return {name: found for name, found in read_manifest(folder).items() if name != BOOKS}
    except DamagedError:
        return {}


def _digests(folder: Path) -> dict[str, str]:
    """As :func:`_contents`, of a folder that has no checksums yet."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: file_digest(path) for name, path in files.items() if name != BOOKS}
