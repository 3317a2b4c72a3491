"""Where artefacts, working folders and locks lie for this process: in folders that all share, or of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rethinkdc.storage import LOST, can_keep, mark_used, upstream_of

LOCKS, WORK = "locks", "work"


class CacheFolders:
    """The folders of a cache under ``root``, and of ``upstream``, a cache that is only read; None = there is none."""

    def __init__(self, root: Path) -> None:
        self.root, self.upstream = root, upstream_of(root)
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._homes: dict[str, Path] = {}

    def home(self, name: str) -> Path:
        """Where this process writes what belongs into the folder ``name``: there, or below a temporary folder."""
        if name not in self._homes:
            lost = "a kill loses the work of this process" if name in (LOCKS, WORK) else LOST
            self._homes[name] = self.root / name if can_keep(self.root, name, lost) else self.own_place(name)
        return self._homes[name]

    def place(self, kind: str, key: str) -> Path:
        """Where an artefact goes that is not found; what this user can neither read nor remove there stays."""
        folder = self.home(kind) / key
        return self.own_place(kind) / key if os.path.lexists(folder) else folder

    def places(self, kind: str, key: str) -> list[Path]:
        """Where an artefact may lie."""
        own = [] if self._own is None else [Path(self._own.name)]
        others = [self.upstream] if self.upstream else []
        return [root / kind / key for root in (self.root, *own, *others)]

    def mark_used(self, folder: Path) -> None:
        """Dates an artefact that is used, where it is not of the cache that is only read."""
        if self.upstream is None or self.upstream not in folder.parents:
            mark_used(folder)

    def own_place(self, name: str) -> Path:
        """A folder of this process in place of one that all share."""
        if self._own is None:
            self._own = tempfile.TemporaryDirectory(prefix="rethinkdc-")
        folder = Path(self._own.name) / name
        folder.mkdir(exist_ok=True)
        return folder

    def shared_work(self, kind: str, key: str) -> Path:
        """The working folder of a piece of work that all processes share."""
        return self.root / WORK / f"{kind}-{key}"

    def own_work(self, kind: str, key: str) -> Path | None:
        """This process's working folder, where it can share none; else None."""
        shared = all(self.home(name) == self.root / name for name in (LOCKS, WORK))
        return None if shared else self.own_place(WORK) / f"{kind}-{key}"

    def lock_path(self, kind: str, key: str) -> Path:
        """The lock of a piece of work."""
        return self.home(LOCKS) / f"{kind}-{key}.lock"
