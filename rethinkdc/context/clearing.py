"""Verifying and pruning what lies in a cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rethinkdc.context.cache import Cache
from rethinkdc.context.cache_folders import LOCKS, WORK
from rethinkdc.context.inventory import Entry, live_holders
from rethinkdc.errors import DamagedError
from rethinkdc.storage import MANIFEST, temporary_folder, try_lock, verify_folder


@dataclass(frozen=True)
class Selection:
    """Which entries of a cache are meant; None = all.

    Attributes:
        kind: of this kind alone.
        older: not used for so many seconds, at least.
        larger: of so many bytes, at least.
    """

    kind: str | None = None
    older: float | None = None
    larger: int | None = None

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is meant."""
        return (
            (self.kind is None or entry.kind == self.kind)
            and (self.older is None or entry.age >= self.older)
            and (self.larger is None or entry.bytes >= self.larger)
        )


def faults_of(entries: Sequence[Entry], advance: Callable[[], None] = lambda: None) -> dict[Entry, str]:
    """What is wrong with artefacts, by their checksums; those that are whole are left out, as is unfinished work."""
    found = {}
    for entry in entries:
        if entry.kind != WORK and not entry.other:
            try:
                verify_folder(entry.folder)
            except (DamagedError, OSError) as error:
                found[entry] = str(error)
        advance()
    return found


def remove(entry: Entry, cache: Cache) -> str:
    """Removes an entry that nobody uses, whole: nobody ever sees a part of it.

    Returns:
        Why it stays; empty = it is gone.
    """
    name = entry.key if entry.kind == WORK else f"{entry.kind}-{entry.key}"
    path = cache.root / LOCKS / f"{name}.lock"
    with try_lock(path) as lease:
        if lease is None:
            holder = live_holders(cache.root).get(name)
            return f"it is in use by {holder}" if holder else "its lock is held, or cannot be had"
        try:
            if entry.kind != WORK and (entry.folder / MANIFEST).stat().st_mtime > entry.used:
                return "it was used meanwhile"
            away = temporary_folder(entry.folder.parent, f".pruned-{entry.key[:24]}")
        except OSError as error:
            return str(error.strerror)
        try:
            entry.folder.rename(away / entry.key)
        except OSError as error:
            return str(error.strerror)
        finally:
            shutil.rmtree(away, ignore_errors=True)
        # Whoever waits for it sees that the file is another one.
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - beside the note, which goes with the lease
    return ""


__all__ = ["Selection", "faults_of", "remove"]
