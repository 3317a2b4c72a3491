"""What lies in a cache: artefacts and unfinished work, with size, age and who may be using it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rethinkdc.context.cache import Cache
from rethinkdc.context.cache_folders import LOCKS, WORK
from rethinkdc.errors import RequestError
from rethinkdc.storage import MANIFEST, show_path
from rethinkdc.storage.holders import Holder, last_note
from rethinkdc.storage.locks import PATIENCE
from rethinkdc.storage.writing import clock_of

_SKEW = 600.0
"""Seconds by which the clocks of hosts and file servers may differ."""
_LASTS = 10 * PATIENCE
"""Seconds without a sign of life after which a holder counts as dead here, where it is looked at once."""


@dataclass(frozen=True)
class Entry:
    """One thing in a cache.

    Attributes:
        kind: as a folder name: ``sets``, ``proxies``; ``work`` is what is unfinished.
        key: name of its folder.
        folder: where it lies.
        bytes: of its files.
        used: when it was made, or used last: seconds of the file system's clock.
        age: seconds since then.
        users: who may be using it; empty = nobody.
        shared: whether it lies in the cache that is only read.
        other: whether it is all that lies in a folder beside artefacts, such as books of fingerprints and the tables of
            datasets; it has no key, and is never pruned.
    """

    kind: str
    key: str
    folder: Path
    bytes: int
    used: float
    age: float
    users: tuple[Holder, ...] = ()
    shared: bool = False
    other: bool = False


def list_entries(cache: Cache) -> list[Entry]:
    """All artefacts of a cache and its unfinished work, and the artefacts of the cache that it reads, largest first.

    A process does not say which artefacts it uses: whoever holds a lock counts as user of all that was used since.

    Raises:
        RequestError: the cache cannot be read.
    """
    holders, now = live_holders(cache.root), _now(cache.root)
    found = [*_entries(cache.root, now, holders), *_unfinished(cache.root, now, holders)]
    if cache.folders.upstream:
        found += _entries(cache.folders.upstream, now, {}, shared=True)
    return sorted(found, key=lambda entry: (-entry.bytes, entry.kind, entry.key))


def live_holders(root: Path) -> dict[str, Holder]:
    """Who holds locks of a cache, by the name of the lock; those whose host seems to be dead are left out."""
    folder, found = root / LOCKS, dict[str, Holder]()
    names = [name for name in _names(folder) if name.endswith(".holder")]
    now = _now(folder)
    for name in names:
        with suppress(OSError):
            note = last_note(folder / name)
            holder = note.holder if note else None
            if note and holder and not holder.has_ended and now - note.path.stat().st_mtime < _LASTS:
                found[name.removesuffix(".holder")] = holder
    return found


def _entries(root: Path, now: float, holders: dict[str, Holder], *, shared: bool = False) -> Iterator[Entry]:
    for kind in _names(root, required=True):
        if kind in (LOCKS, WORK):
            continue
        rest: list[tuple[int, float]] = []
        for key in _names(root / kind):
            folder = root / kind / key
            try:
                used = (folder / MANIFEST).stat().st_mtime
            except OSError:
                rest += () if shared else _files(folder)
                continue
            users = tuple(holder for holder in holders.values() if used > _since(holder) - _SKEW)
            size = sum(size for size, _ in _files(folder))
            yield Entry(kind, key, folder, size, used, max(0.0, now - used), users, shared)
        if rest:
            used, size = max(when for _, when in rest), sum(size for size, _ in rest)
            yield Entry(kind, "", root / kind, size, used, max(0.0, now - used), other=True)


def _unfinished(root: Path, now: float, holders: dict[str, Holder]) -> Iterator[Entry]:
    for key in _names(root / WORK):
        folder = root / WORK / key
        files = list(_files(folder))
        with suppress(OSError):
            used = max((when for _, when in files), default=folder.stat().st_mtime)
            users = (holders[key],) if key in holders else ()
            yield Entry(WORK, key, folder, sum(size for size, _ in files), used, max(0.0, now - used), users)


def _files(folder: Path) -> Iterator[tuple[int, float]]:
    """Bytes and time of each file below a folder, or of a file."""
    below = [(place, names) for place, _, names in os.walk(folder)]
    for place, names in below or [(str(folder.parent), [folder.name])]:
        for name in names:
            with suppress(OSError):
                about = Path(place, name).lstat()
                yield about.st_size, about.st_mtime


def _names(folder: Path, *, required: bool = False) -> list[str]:
    """The folders and files in a folder, without those that are being made."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - names alone
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if required:
            raise RequestError(
                f"The cache {show_path(folder)} cannot be read: {error.strerror}. Choose another with --cache-dir or "
                "RETHINKDC_CACHE."
            ) from None
        return []


def _now(folder: Path) -> float:
    """The time of the file system, where something can be written; else this machine's."""
    try:
        return clock_of(folder)
    except OSError:
        return time.time()


def _since(holder: Holder) -> float:
    """When a holding began; the earliest of all where it does not say so."""
    try:
        return datetime.fromisoformat(holder.since).timestamp()
    except ValueError:
        return 0.0
