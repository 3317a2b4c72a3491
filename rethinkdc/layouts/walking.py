"""Walks folders as people have them: links, loops, hidden files, things that are no files.

Every file comes once. A link that leads back into the tree, or above it, would show the same images again: it is
passed over and counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from rethinkdc.errors import DataError
from rethinkdc.storage import show_path

LINK_BACK = "link to what is listed already"
SPECIAL = "thing that is no regular file"
_SYSTEM = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
"""Folders that systems and network disks leave beside those of people."""


def list_files(root: Path) -> Iterator[Path]:
    """Lists every file below ``root`` that is not hidden, once, sorted within each folder.

    Raises:
        DataError: a folder cannot be listed.
    """
    for name in Walk(root).files(root):
        yield root / name


def list_subfolders(folder: Path) -> list[Path]:
    """The folders in ``folder`` that are not hidden, sorted; links to folders among them.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    except OSError as error:
        refuse(error)


def is_hidden(name: str) -> bool:
    """Whether a name is of the system's own: those that begin with a dot, and the folders that systems leave."""
    return name.startswith(".") or name in _SYSTEM


def is_within(path: str, folder: str) -> bool:
    """Whether a real path is ``folder`` itself or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


class Walk:
    """A walk through one tree.

    Attributes:
        passed_over: what was left out on the way, and how often.
    """

    def __init__(self, home: Path, apart: Sequence[Path] = ()) -> None:
        """Starts at the root of a tree: what lies below it is found without links.

        Args:
            home: the root.
            apart: folders that no link may lead into: another split of the same dataset.

        Raises:
            DataError: the root lies in one of these.
        """
        self.passed_over: Counter[str] = Counter()
        self._home = os.path.realpath(home)
        self._apart = {os.path.realpath(folder): folder for folder in apart}
        self._check_apart(home, self._home)
        self._entered: set[str] = set()
        self._real = lru_cache(maxsize=1024)(os.path.realpath)

    def files(self, folder: Path) -> Iterator[str]:
        """Paths relative to ``folder`` of the files below it: those of a folder before those of its subfolders.

        Links to files that do not exist are among them, so that reading names them.

        Raises:
            DataError: a folder cannot be listed, or a link leads into what must stay apart.
        """
        yield from self._walk(os.fspath(folder), "", linked=folder.is_symlink())

    def _walk(self, folder: str, prefix: str, *, linked: bool) -> Iterator[str]:
        files: list[os.DirEntry[str]] = []
        folders: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not is_hidden(entry.name):
                        (folders if _is_folder(entry) else files).append(entry)
        except OSError as error:
            refuse(error)
        for entry in sorted(files, key=lambda entry: entry.name):
            if self._is_own_file(entry, folder):
                yield prefix + entry.name
        for entry in sorted(folders, key=lambda entry: entry.name):
            # What lies in the tree itself is met once in any case; folders behind a link need to be remembered.
            behind = linked or entry.is_symlink()
            if not behind or self._may_enter(entry):
                yield from self._walk(entry.path, f"{prefix}{entry.name}{os.sep}", linked=behind)

    def enter(self, folder: Path) -> None:
        """Marks a folder as met: no link leads into it again.

        Raises:
            DataError: it is, or lies behind, a link into what must stay apart.
        """
        end = os.path.realpath(folder)
        self._check_apart(folder, end)
        self._entered.add(end)

    def _check_apart(self, link: Path, end: str) -> None:
        if met := next((folder for real, folder in self._apart.items() if is_within(end, real)), None):
            raise DataError(
                f"{show_path(link)} shows what lies in {show_path(met)}: the same images would be trained on and "
                "tested on. Remove the link, or move that split away."
            )

    def _may_enter(self, entry: os.DirEntry[str]) -> bool:
        end = os.path.realpath(entry.path)
        self._check_apart(Path(entry.path), end)
        if end in self._entered or (entry.is_symlink() and self._leads_back(entry.path, end)):
            self.passed_over[LINK_BACK] += 1
            return False
        self._entered.add(end)
        return True

    def _is_own_file(self, entry: os.DirEntry[str], folder: str) -> bool:
        if entry.is_symlink():
            link = Path(entry.path)
            if not link.exists():
                return True
            # One step is enough: where it ends in a second link of the tree, that one is listed or left out itself.
            end = Path(folder, link.readlink())
            place = f"{self._real(end.parent)}{os.sep}{end.name}"
            self._check_apart(link, place)
            if self._is_listed(place):
                self.passed_over[LINK_BACK] += 1
                return False
        if not entry.is_file():
            self.passed_over[SPECIAL] += 1
            return False
        return True

    def _leads_back(self, link: str, end: str) -> bool:
        """Whether the end of a link is met without it too: it lies in the tree, or the tree or the link in it."""
        return self._is_listed(end) or any(
            is_within(place, end) for place in (self._home, self._real(Path(link).parent))
        )

    def _is_listed(self, path: str) -> bool:
        """Whether the walk meets this real path by itself: it lies in the tree, in no hidden folder."""
        if not is_within(path, self._home):
            return False
        return not any(map(is_hidden, Path(path).relative_to(self._home).parts))


def refuse(error: OSError) -> NoReturn:
    """Says which folder cannot be read, and why.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"Cannot read the folder {show_path(error.filename)}: {error.strerror}. "
        "Check that it exists and its permissions."
    ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: reading the file will name it
        return False
