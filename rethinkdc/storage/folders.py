"""Folders that appear whole or not at all, each with a manifest of SHA-256 sums."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from rethinkdc.errors import DamagedError
from rethinkdc.storage.digests import file_digest
from rethinkdc.storage.faults import storing
from rethinkdc.storage.permissions import temporary_folder
from rethinkdc.storage.reading import is_no_file, read_regular, show_path
from rethinkdc.storage.writing import clear_leftovers, is_temporary, make_folder, renew_file, sync_folder

MANIFEST = "manifest.json"


@contextmanager
def new_folder(final: Path, free: Collection[str] = ()) -> Iterator[Path]:
    """A folder to fill beside its place, which it takes when it is whole; nothing stays of one that could not be.

    Args:
        final: its place.
        free: as :func:`commit_folder` has it.

    Raises:
        StorageError: it cannot be written.
    """
    make_folder(final.parent)
    clear_leftovers(final.parent)
    with storing(final):
        making = temporary_folder(final.parent, f".{final.name}")
    try:
        yield making
        commit_folder(making, final, free)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def commit_folder(temporary: Path, final: Path, free: Collection[str] = ()) -> None:
    """Adds a manifest to ``temporary``, flushes every file, and renames the folder to ``final``.

    Every file is shared as the umask says, whoever wrote it. When another process was faster, its folder stays and ours
    is removed: both hold the same content.

    Args:
        temporary: the folder as it was filled, beside its place.
        final: its place.
        free: names of files that people may change afterwards: the manifest does not list them.

    Raises:
        StorageError: it cannot be written.
    """
    files = sorted(path for path in temporary.rglob("*") if path.is_file())
    names = {path.relative_to(temporary).as_posix(): path for path in files}
    sums = {name: file_digest(path) for name, path in names.items() if name not in free}
    with storing(final):
        (temporary / MANIFEST).write_text(json.dumps(sums, indent=1, sort_keys=True))
        _share(files, like=temporary / MANIFEST)
        for path in [*files, temporary / MANIFEST]:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(temporary)
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(temporary, final)  # noqa: PTH104 - beside the os.replace and os.fsync of the same step
        except OSError:
            if not (final / MANIFEST).exists():
                raise
            shutil.rmtree(temporary)
        sync_folder(final.parent)


def verify_folder(folder: Path) -> None:
    """Checks a committed folder against its manifest.

    Raises:
        DamagedError: the manifest is missing or unreadable, or a file is missing or changed.
        OSError: one cannot be read, by this user or at this moment.
    """
    for name, expected in read_manifest(folder).items():
        path = folder / name
        try:
            there = path.is_file()
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            there = False
        if not there:
            raise DamagedError(f"{show_path(path)} is missing from a stored artefact.")
        if file_digest(path) != expected:
            raise DamagedError(f"{path} is damaged: its checksum does not match the manifest.")


def mark_used(folder: Path) -> None:
    """Dates a committed folder from now, where that can be done: what nobody uses for long may be pruned."""
    with suppress(OSError):
        os.utime(folder / MANIFEST)


def renew_folder(folder: Path) -> None:
    """Puts copies in the place of all files of a working folder, if it is there: a former owner has none of them open.

    Raises:
        OSError: one cannot be read.
        StorageError: one cannot be written; each is either the old file or its copy.
    """
    for place, _, names in os.walk(folder):
        for name in names:
            if not is_temporary(name):
                renew_file(Path(place, name))


def read_manifest(folder: Path) -> dict[str, str]:
    """The sums of a committed folder, by the names of its files.

    Raises:
        DamagedError: the manifest is missing, or none.
        OSError: it cannot be read, by this user or at this moment.
    """
    try:
        sums = json.loads(read_regular(folder / MANIFEST))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError) and not is_no_file(error):
            raise
        raise DamagedError(f"{show_path(folder)} has no readable {MANIFEST}: {error}.") from error
    if not isinstance(sums, dict) or not all(isinstance(value, str) for value in sums.values()):
        raise DamagedError(f"{show_path(folder)} has no readable {MANIFEST}: it is no table of names and checksums.")
    for name in sums:
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise DamagedError(f"{show_path(folder)} has a {MANIFEST} that names {show_path(name)}, a file elsewhere.")
    return sums


def _share(files: Iterable[Path], *, like: Path) -> None:
    """Gives files the permissions of one that was just made: some libraries write by way of a private file."""
    mode = stat.S_IMODE(like.stat().st_mode)
    for file in files:
        if stat.S_IMODE(file.stat().st_mode) != mode:
            # A second name of another user's file: its owner decides.
            with suppress(PermissionError):
                file.chmod(mode)
