"""Remaking: what methods made is made again by a run that is forced, although the cache holds it."""

from __future__ import annotations

import json
from pathlib import Path

from rethinkdc import ranks
from rethinkdc.errors import DamagedError
from rethinkdc.storage import read_sealed, write_sealed

SHARED = frozenset({"networks", "predictions", "proxies", "teacher-tests", "teachers", "whitenings"})
"""Kinds of artefacts that the framework makes by recipes; all others are what methods make of them."""
_BOOK = "remade.sealed"


class Remaking:
    """What one run has made again so far: each artefact once, over kills of the run too.

    Ranks ask about the same artefacts in the same order, so that each knows what all have made.
    """

    def __init__(self, folder: Path) -> None:
        """Goes on from what the run's working folder tells."""
        self._book = folder / _BOOK
        self._made: list[str] = ranks.decided(self._read, "what was made again")

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was made again."""
        return sorted({name.partition("/")[0] for name in self._made})

    def wants(self, kind: str, key: str) -> bool:
        """Whether an artefact must be made again before it is used."""
        return kind not in SHARED and f"{kind}/{key}" not in self._made

    def keep(self, kind: str, key: str) -> None:
        """Notes that an artefact is made again."""
        self._made.append(f"{kind}/{key}")
        if ranks.writes():
            write_sealed(self._book, json.dumps(self._made).encode())

    def _read(self) -> list[str]:
        try:
            return list(json.loads(read_sealed(self._book)))
        except (FileNotFoundError, DamagedError):
            return []
