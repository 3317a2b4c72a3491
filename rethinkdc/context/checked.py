"""The book of what was checked: which code of which method kept the rules that methods are held to. Imports little.

It holds for just the code that was checked, by its digest, and for the version of the framework that checked it: a mark
goes when either changes. A check that breaks a rule takes the mark away.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rethinkdc.context.cache import default_cache_folder
from rethinkdc.errors import DamagedError
from rethinkdc.storage import digest, expand_home, read_sealed, remember

_BOOK = Path("fingerprints") / "checked"
"""Below the cache, beside what else is known of files by their digests."""

Extent = Literal["whole", "quick"]


class Checked(BaseModel):
    """What was found when a method was checked.

    Attributes:
        method: its reference as it was checked, with its parameters.
        extent: ``quick`` where the rules that take long were left out.
        broken: names of the rules that it broke.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    extent: Extent
    broken: tuple[str, ...] = ()


def note_checked(kind: str, name: str, code: str, checked: Checked, cache_folder: Path | None = None) -> None:
    """Writes down how a check ended; where the cache cannot be written, that is a warning.

    What was kept as a whole is not taken back by a quick check that is kept too.
    """
    known = find_checked(kind, name, code, cache_folder)
    if known and known.extent == "whole" and not known.broken and checked.extent == "quick" and not checked.broken:
        return
    remember(_place(kind, name, code, cache_folder), checked.model_dump_json().encode())


def find_checked(kind: str, name: str, code: str, cache_folder: Path | None = None) -> Checked | None:
    """How the last check of just this code ended; None = it was not checked by this version of the framework."""
    try:
        return Checked.model_validate_json(read_sealed(_place(kind, name, code, cache_folder)))
    except (OSError, DamagedError, ValidationError):
        return None


def kept_extent(kind: str, name: str, code: str, cache_folder: Path | None = None) -> Extent | None:
    """How far this code was checked and kept all rules; None = it was not, or broke one."""
    found = find_checked(kind, name, code, cache_folder)
    return None if found is None or found.broken else found.extent


def is_empty(cache_folder: Path | None = None) -> bool:
    """Whether nothing was ever checked, so that no digest needs to be taken to know it."""
    return not os.path.isdir(_root(cache_folder) / _BOOK)  # noqa: PTH112 - does not raise where this user may not look


def _root(cache_folder: Path | None) -> Path:
    return expand_home(cache_folder or default_cache_folder())


def _place(kind: str, name: str, code: str, cache_folder: Path | None) -> Path:
    return _root(cache_folder) / _BOOK / f"{digest([version('rethinkdc'), kind, name, code])}.sealed"
