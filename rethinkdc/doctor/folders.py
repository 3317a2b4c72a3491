"""The folders that runs write: rights, file system, room, and locks that work."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rethinkdc.doctor.finding import Finding
from rethinkdc.errors import StorageError
from rethinkdc.storage import show_path, writable
from rethinkdc.storage.flocks import free_flock, take_flock

_LITTLE, _TOO_LITTLE = 5 << 30, 200 << 20
"""Bytes of room below which a larger run may end, and below which any will."""
_FEW_FILES = 10_000
_MOUNTS = Path("/proc/self/mounts")
_SHARED = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "fuse", "9p", "virtiofs", "ceph")
"""File systems that several hosts may share, or their beginnings."""


def look_at_folder(about: str, folder: Path, option: str, variable: str) -> Iterator[Finding]:
    """Looks at a folder that runs write; of one that is not there, at the folder in which it would be made.

    Args:
        about: what it is called.
        folder: its place.
        option: of the command line that chooses another.
        variable: of the environment that does.
    """
    other = f"export {variable}=FOLDER, or {option} FOLDER"
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    try:
        kept = writable(there)
    except StorageError as error:
        yield Finding(about, "fault", str(error), other)
        return
    if not kept:
        yield Finding(about, "fault", f"{show_path(there)} cannot be written.", other)
        return
    kind = file_system(there)
    can = "can be written" if there == folder else f"is not there yet, and can be made in {show_path(there)}"
    yield Finding(about, "fine", f"{show_path(folder)} {can}{f', on {kind}' if kind else ''}.")
    yield _room(about, there, other)
    yield _locks(about, there, kind, other)


def file_system(folder: Path) -> str:
    """The kind of file system that a folder lies on; empty where nobody tells."""
    place, found = os.path.realpath(folder), ("", "")
    with suppress(OSError):
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            _, mounted, kind, *_ = line.split(" ")
            point = mounted.replace("\\040", " ").rstrip("/") or "/"
            inside = point == "/" or place == point or place.startswith(f"{point}/")
            if inside and len(point) >= len(found[0]):
                found = point, kind
    return found[1]


def _room(about: str, folder: Path, other: str) -> Finding:
    free = shutil.disk_usage(folder).free
    inodes = os.statvfs(folder)
    room = f"{free / (1 << 30):.1f} GiB are free in {show_path(folder)}"
    if inodes.f_files and inodes.f_favail < _FEW_FILES:
        told = f"{room}, and only {inodes.f_favail:,} more files can be made there."
        return Finding(f"{about}: room", "fault", told, other)
    if free < _TOO_LITTLE:
        return Finding(f"{about}: room", "fault", f"{room}.", f"rethinkdc cache prune --older 30d; or {other}")
    if free < _LITTLE:
        return Finding(f"{about}: room", "notice", f"{room}.", "rethinkdc cache list")
    return Finding(f"{about}: room", "fine", f"{room}.")


def _locks(about: str, folder: Path, kind: str, other: str) -> Finding:
    """Whether a lock that is held is seen to be held, which some file systems do not do."""
    name, path = f"{about}: locks", folder / f".doctor-{secrets.token_hex(8)}.lock"
    try:
        held = take_flock(path)
        again = take_flock(path)
    except OSError as error:
        told = f"{show_path(folder)} has no locks ({error.strerror}): work cannot be shared, and a kill loses it."
        return Finding(name, "fault", told, other)
    finally:
        with suppress(OSError):
            path.unlink()
    for descriptor in (held, again):
        if descriptor is not None:
            free_flock(descriptor)
    if held is None or again is not None:
        told = f"Locks in {show_path(folder)} are not seen by others: two processes would do the same work."
        return Finding(name, "fault", told, other)
    if kind.startswith(_SHARED):
        told = (
            f"Locks in {show_path(folder)} are seen on this host. Between hosts, which may share {kind}, notes beside "
            "the locks decide."
        )
        return Finding(name, "fine", told)
    return Finding(name, "fine", f"Locks in {show_path(folder)} work.")
