"""Files in the place of records: of a folder, a tree of folders, one run or one file."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rethinkdc.errors import RequestError
from rethinkdc.runs.records import Records
from rethinkdc.storage import show_path

_KEY = re.compile(r"[0-9a-f]{24}")
_BEGINNING = re.compile(r"[0-9a-f]{4,24}")
"""Of a key; fewer digits name too many."""


class Found(NamedTuple):
    """What a place holds.

    Attributes:
        root: the folder that all is below.
        files: that lie where records do, in the order of their names.
        closed: folders that cannot be read, each with the reason.
    """

    root: Path
    files: list[Path]
    closed: list[tuple[Path, str]]


def find_files(place: str | Path | None, records: Records) -> Found:
    """The files that lie where records do.

    Args:
        place: a file, a folder, or the beginning of a key; None = the folder of records.
        records: where keys are looked up.

    Raises:
        RequestError: there is no such place, no record in it, or several runs have keys that begin so.
    """
    path = records.folder if place is None else Path(place).expanduser()
    if path.is_dir():
        found = _below(path)
        if found.files or found.closed:
            return found
        raise RequestError(
            f"There is no record in {show_path(path)} or its folders. `rethinkdc run --compressor random` makes one."
        )
    if os.path.lexists(path):
        return Found(path.parent, [path], [])
    if place is not None and _BEGINNING.fullmatch(str(place)):
        return _below(_run_of(str(place), records))._replace(root=records.folder)
    known = f"the beginning of a key in {show_path(records.folder)}" if place is not None else "a folder of records"
    raise RequestError(
        f"{show_path(path)} is no file, no folder, and not {known}. Name one, or the folder of records with --records."
    )


def find_gaps(files: Iterable[Path]) -> list[str]:
    """Attempts that are not there though later ones are: boards count a run's first ok attempt."""
    numbers: dict[Path, set[int]] = defaultdict(set)
    for file in files:
        if file.stem.isdecimal():
            numbers[file.parent].add(int(file.stem))
    return [
        f"{show_path(folder.name)}: attempt {', '.join(map(str, gone))} is not here, and a later one is: it was moved "
        "away, or its number was lost when a process was killed"
        for folder, found in sorted(numbers.items())
        if (gone := sorted(set(range(1, max(found))) - found))
    ]


def _below(folder: Path) -> Found:
    closed: list[OSError] = []
    files = [
        Path(place, name)
        for place, _, names in os.walk(folder, onerror=closed.append)
        for name in names
        if _in_place(Path(place).name, name)
    ]
    return Found(folder, sorted(files), [(Path(one.filename), str(one.strerror)) for one in closed])


def _in_place(folder: str, name: str) -> bool:
    """Whether a file lies where a record does: in a run's folder as boards see it, elsewhere by a number alone."""
    stem = name.removesuffix(".json")
    return stem != name and (stem.isdecimal() or (bool(_KEY.fullmatch(folder)) and stem[:1].isdigit()))


def _run_of(beginning: str, records: Records) -> Path:
    found = sorted(path for path in records.folder.glob(f"{beginning}*") if path.is_dir())
    if len(found) == 1:
        return found[0]
    if not found:
        raise RequestError(
            f"No run in {show_path(records.folder)} has a key that begins with {beginning}. Name the folder of records "
            "with --records, or a record by its file."
        )
    raise RequestError(
        f"{len(found)} runs in {show_path(records.folder)} have keys that begin with {beginning}: "
        f"{', '.join(path.name for path in found[:5])}. Give more of it."
    )
