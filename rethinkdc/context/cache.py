"""The cache: artefacts that are made once and shared by every method.

An artefact is a folder ``<kind>/<key>`` with a manifest. While it is made, its working folder ``work/<kind>-<key>``
outlives a kill, so the next process resumes there. A lock lets one process make and the others wait.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rethinkdc.context import ranks
from rethinkdc.errors import DamagedError, RequestError, RethinkError
from rethinkdc.storage import commit_folder, lock, try_lock, verify_folder, writable

ENVIRONMENT = "RETHINKDC_CACHE"


def default_cache_folder() -> Path:
    """``RETHINKDC_CACHE``, or the platform's folder for caches."""
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("rethinkdc")


class Cache:
    """Finds, makes and verifies artefacts under ``root``.

    A root that cannot be written is still read; what is missing there is made in a temporary folder of this process,
    with a warning.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_cache_folder()).expanduser().resolve()
        self._made_here: tempfile.TemporaryDirectory[str] | None = None
        if not writable(self.root):
            self._made_here = tempfile.TemporaryDirectory(prefix="rethinkdc-")
            warnings.warn(
                f"The cache {self.root} cannot be written: what this process computes is not kept. "
                f"Choose another folder with --cache-dir or {ENVIRONMENT}.",
                stacklevel=3,
            )
            if ranks.world() > 1:
                raise RequestError(
                    f"The cache {self.root} cannot be written, and ranks share their work through it. Choose a folder "
                    f"that all can write to with --cache-dir or {ENVIRONMENT}."
                )
        self._verified: set[Path] = set()
        ranks.join(self.home)

    @property
    def home(self) -> Path:
        """Where this process writes: the root, or a temporary folder when the root is read-only."""
        return Path(self._made_here.name) if self._made_here else self.root

    def find(self, kind: str, key: str) -> Path | None:
        """The verified folder of an artefact, or None; a damaged one is reported, moved away and not used."""
        for root in dict.fromkeys((self.root, self.home)):
            folder = root / kind / key
            if not folder.is_dir():
                continue
            if folder in self._verified:
                return folder
            try:
                verify_folder(folder)
            except DamagedError as error:
                warnings.warn(f"{error} It is rebuilt.", stacklevel=2)
                if root == self.home:
                    _remove(folder)
                continue
            self._verified.add(folder)
            return folder
        return None

    def holds(self, kind: str, key: str) -> Path | None:
        """The folder of an artefact, not verified: enough for a plan."""
        folders = (root / kind / key for root in dict.fromkeys((self.root, self.home)))
        return next((folder for folder in folders if folder.is_dir()), None)

    def make(self, kind: str, key: str, build: Callable[[Path, Path], None], *, shared: bool = False) -> Path:
        """Returns the artefact's folder, building it if need be.

        Args:
            kind: what it is, as a folder name: ``traces``, ``scores``, ``sets``.
            key: digest of all that it depends on.
            build: called with the working folder (survives a kill) and the folder to fill.
            shared: whether all ranks build it together: each calls ``build``, and the first keeps the artefact.
        """
        if found := self.find(kind, key):
            self._clear_leftover(kind, key)
            return found
        if shared and not ranks.leads():
            return self._taken_part(kind, key, build)
        final = self.home / kind / key
        with lock(self._lock_path(kind, key)):
            if found := self.find(kind, key):
                return found
            work = self.work(kind, key)
            final.parent.mkdir(parents=True, exist_ok=True)
            # A fixed name under the lock: what a killed process left here is cleared away, not piled up.
            made = final.parent / f".making-{key}"
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            try:
                build(work, made)
                commit_folder(made, final)
            except RethinkError as error:
                # Refused, not interrupted: nobody will come back for this work.
                if not error.keeps_work:
                    shutil.rmtree(work, ignore_errors=True)
                raise
            finally:
                shutil.rmtree(made, ignore_errors=True)
            shutil.rmtree(work, ignore_errors=True)
        self._verified.add(final)
        return final

    def _clear_leftover(self, kind: str, key: str) -> None:
        """Removes the work of a process that was killed after it kept the artefact, unless somebody is at it."""
        work = self.home / "work" / f"{kind}-{key}"
        if not work.exists():
            return
        with try_lock(self._lock_path(kind, key)) as held:
            if held:
                shutil.rmtree(work, ignore_errors=True)

    def _lock_path(self, kind: str, key: str) -> Path:
        return self.home / "locks" / f"{kind}-{key}.lock"

    def _taken_part(self, kind: str, key: str, build: Callable[[Path, Path], None]) -> Path:
        """What a rank other than the first does: its share, outside the lock; then it waits for the artefact."""
        with tempfile.TemporaryDirectory(prefix="rethinkdc-rank-") as unused:
            try:
                build(self.work(kind, key), Path(unused))
            except ranks.PartsDoneError:
                pass
            except OSError:
                # The working folder goes when the artefact is there.
                if self.find(kind, key) is None:
                    raise
        return ranks.wait_for(lambda: self.find(kind, key), self.home, lambda: [0], f"an artefact of {kind}")

    def work(self, kind: str, key: str) -> Path:
        """The working folder of a piece of work: kept over kills, removed by whoever finishes it."""
        folder = self.home / "work" / f"{kind}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _remove(folder: Path) -> None:
    """Removes a folder that other processes may be removing as well: whoever moves it away first does."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".damaged-") as away, suppress(FileNotFoundError):
        folder.rename(Path(away) / folder.name)
