"""The index of a folder of records: what boards need of each, so that only what is new is read.

It is derived and never trusted over the files: an entry holds for just the file that it was made of, told by name,
size, times and inode. A folder that was copied, an index of another form or a damaged one are read anew. Where it
cannot be written boards are the same, and slower.
"""

from __future__ import annotations

import os
import time
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rethinkdc.boards.columns import Indexed, Shared, Stamp, form_of_columns, read_columns, write_columns
from rethinkdc.boards.entry import Entry
from rethinkdc.errors import DamagedError, RecordError
from rethinkdc.runs.prediction_files import fault_of_predictions
from rethinkdc.runs.records import Records, unreadable_folder
from rethinkdc.storage import digest, read_sealed, remember

INDEX = ".boards-index"
"""Name of its file, in the folder of the records."""
_RULES = 3
"""Raised when an entry is made otherwise of a record; its fields are seen to by themselves."""
_SETTLED = 2.0
"""Seconds. A younger file may be changed again without another time: clocks of file systems are coarse."""


class LeftOut(NamedTuple):
    """A file in the place of a record that enters no board.

    Attributes:
        file: below the folder of records.
        fault: what is wrong with it.
    """

    file: str
    fault: str

    def __str__(self) -> str:
        return f"A record is left out: {self.file} {self.fault}."


class Found(NamedTuple):
    """What a folder of records holds.

    Attributes:
        entries: all records as boards need them, in the order of keys and attempts.
        left_out: files that are no record of a run, in the same order.
    """

    entries: list[Entry]
    left_out: list[LeftOut]


def find_entries(records: Records) -> Found:
    """Reads what boards need of all records of a folder.

    Raises:
        RequestError: the folder cannot be read.
    """
    path = records.folder / INDEX
    known = _load(path)
    found, left_out = _stamps(records.folder)
    held = {name: known[name] for name, stamp in found.items() if name in known and known[name].stamp == stamp}
    # As old as they were before they are read: what changes meanwhile is read again.
    settled = time.time_ns() - int(_SETTLED * 1e9)
    new, shared = {}, Shared()
    for name in sorted(found.keys() - held.keys()):
        one = _read(records, name)
        if isinstance(one, LeftOut):
            left_out.append(one)
        else:
            new[name] = Indexed(found[name], shared.of(one))
    lasting = {name: one for name, one in new.items() if max(one.stamp.modified, one.stamp.changed) < settled}
    if lasting or len(held) < len(known):
        _store(path, held | lasting)
    whole = held | new
    return Found([whole[name].entry for name in sorted(whole)], sorted(left_out))


def read_entries(records: Records) -> list[Entry]:
    """As :func:`find_entries`; what is left out is warned of."""
    entries, left_out = find_entries(records)
    for one in left_out:
        warnings.warn(str(one), stacklevel=3)
    return entries


def _read(records: Records, name: str) -> Entry | LeftOut:
    path = records.folder / name
    try:
        record = records.read_in_place(path)
        fault = fault_of_predictions(record, path.parent)
        return LeftOut(name, fault) if fault else Entry.of(record)
    except RecordError as error:
        return LeftOut(name, error.fault)


def _stamps(folder: Path) -> tuple[dict[str, Stamp], list[LeftOut]]:
    """Every ``<key>/<attempt>.json`` with its stamp, by two system calls a file; and what this user may not look at.

    Raises:
        RequestError: the folder cannot be read.
    """
    found: dict[str, Stamp] = {}
    left_out = []
    try:
        places = _scan(folder)
    except OSError as error:
        raise unreadable_folder(folder, error) from None
    for place in places:
        if not place.is_dir():
            continue
        try:
            for file in _scan(Path(place.path)):
                if file.name.endswith(".json") and file.name[0].isdigit():
                    found[f"{place.name}/{file.name}"] = _stamp(file)
        except OSError as error:
            left_out.append(LeftOut(place.name, f"cannot be read: {error.strerror}"))
    return found, left_out


def _stamp(file: os.DirEntry[str]) -> Stamp:
    try:
        about = file.stat()
    except OSError:
        # A link to nowhere, for one: reading it says what is wrong.
        about = file.stat(follow_symlinks=False)
    return Stamp(about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


@cache
def _form() -> bytes:
    """What must be the same for an index to be read: the fields of entries and the rules by which they are made."""
    return digest([_RULES, form_of_columns()]).encode()


def _load(path: Path) -> dict[str, Indexed]:
    """What the index holds; nothing where there is none, or not as this version writes it."""
    try:
        form, *lines = read_sealed(path).split(b"\n")
        return read_columns(lines) if form == _form() else {}
    except (OSError, DamagedError, ValueError, IndexError):
        return {}


def _store(path: Path, entries: dict[str, Indexed]) -> None:
    # Of a folder that is only read, or on a full disk, the next board reads the records again.
    remember(path, b"\n".join([_form(), *write_columns(dict(sorted(entries.items())))]))
