"""Walks folders as people have them: links, loops, hidden files, things that are no files.

Every file comes once. A link that leads back into the tree, or above it, would show the same images again: it is
passed over and counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from rethinkdc.errors import DataError

LINK_BACK = "link to what is listed already"
SPECIAL = "thing that is no regular file"


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
    """Whether a name is of the system's own: those that begin with a dot, and what macOS packs beside files."""
    return name.startswith(".") or name == "__MACOSX"


def is_within(path: str, folder: str) -> bool:
    """Whether a real path is ``folder`` itself or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


class Walk:
    """A walk through one tree.

    Attributes:
        passed_over: what was left out on the way, and how often.
    """

    def __init__(self, home: Path) -> None:
        """Takes the root of the tree: what lies below it is found without links."""
        self.passed_over: Counter[str] = Counter()
        self._home = os.path.realpath(home)
        self._entered: set[str] = set()
        self._real = lru_cache(maxsize=1024)(os.path.realpath)

    def files(self, folder: Path) -> Iterator[str]:
        """Paths relative to ``folder`` of the files below it: those of a folder before those of its subfolders.

        Links to files that do not exist are among them, so that reading names them.

        Raises:
            DataError: a folder cannot be listed.
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
        """Marks a folder as met: no link leads into it again."""
        self._entered.add(os.path.realpath(folder))

    def _may_enter(self, entry: os.DirEntry[str]) -> bool:
        end = os.path.realpath(entry.path)
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
            if self._is_listed(f"{self._real(end.parent)}{os.sep}{end.name}"):
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


def show_path(path: Path | str) -> str:
    """A path that can be printed, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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
