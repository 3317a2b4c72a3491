"""The working folder of a run: what lets a killed run go on, in the hands of whoever holds the run's lock.

Nobody else makes, uses or removes it. Work that is no run (a score, a trace, a set alone) has no such folder: what is
worth keeping of it lies in the folders of its artefacts, each under a lock of its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rethinkdc import ranks
from rethinkdc.choices import Force
from rethinkdc.context.cache import Cache
from rethinkdc.errors import DamagedError
from rethinkdc.runs.records import Records
from rethinkdc.storage import Lease, read_sealed, write_sealed

_KIND = "runs"
"""As artefacts have one: it begins the names of working folders and locks."""
_BEGUN = "begun.sealed"
"""Says for which record the work in a folder is: the records' folder, and how many ok attempts it held before."""


class RunFolder:
    """The working folder of one run; only made by whoever holds its lock, see :func:`hold_run`."""

    def __init__(
        self, path: Path, records: Records, key: str, lease: Lease | None = None, *, force: Force | None = None
    ) -> None:
        """Names one; ``force``: what of the run is made anew."""
        self.path, self.lease, self.force = path, lease, force
        self._records, self._key = records, key

    def begin(self) -> Path:
        """The folder, with what an earlier try left that never came to its record; else empty."""
        ranks.decided(self._begin, "the run's folder")
        return self.path

    def clear(self) -> None:
        """Removes the folder."""
        if ranks.writes():
            shutil.rmtree(self.path, ignore_errors=True)

    def is_recorded(self) -> bool:
        """Whether the work in the folder came to its record, but was killed before it removed the folder."""
        begun, here = self._begun(), self._place()
        return bool(begun and begun["records"] == here["records"] and begun["ok"] < here["ok"])

    def _begin(self) -> None:
        # What is forced goes on from nothing that was not, which may be what was wrong.
        if self.is_recorded() or (self.force and self._begun().get("force") != self.force):
            self.clear()
        begun = {**self._place(), "force": self.force or self._begun().get("force")}
        write_sealed(self.path / _BEGUN, json.dumps(begun).encode())

    def _begun(self) -> dict[str, Any]:
        """What the last try said of itself; nothing where there was none."""
        try:
            found: dict[str, Any] = json.loads(read_sealed(self.path / _BEGUN))
        except (OSError, DamagedError):
            return {}
        return found

    def _place(self) -> dict[str, str | int]:
        attempts = self._records.attempts(self._key)
        ok = sum(record.status == "ok" for record in attempts)
        return {"records": str(self._records.folder.resolve()), "ok": ok}


@contextmanager
def hold_run(cache: Cache, records: Records, key: str, *, force: Force | None = None) -> Iterator[RunFolder]:
    """Holds a run's lock, waiting for whoever does; inside, the run's folder is ours.

    Of ranks that work together the first holds it, makes the folder and removes it.
    """
    with cache.hold_together(_KIND, key) as (path, lease):
        yield RunFolder(path, records, key, lease, force=force)


def is_run_held(cache: Cache, key: str) -> bool:
    """Whether somebody is at a run, as far as can be told from here."""
    return cache.is_held(_KIND, key)


def clear_recorded(cache: Cache, records: Records, key: str) -> None:
    """Removes what is left of a run whose record is written, unless somebody holds the run."""
    if not cache.is_left(_KIND, key):
        return
    with cache.try_hold(_KIND, key) as path:
        if path and (folder := RunFolder(path, records, key)).is_recorded():
            folder.clear()


__all__ = ["RunFolder", "clear_recorded", "hold_run", "is_run_held"]
