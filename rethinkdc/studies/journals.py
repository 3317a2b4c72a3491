"""What processes that share the units of a sweep tell each other: each writes a journal, and all read all of them.

A journal is a file of lines that one process appends to, and the lock beside it is held for as long as the process
lives. So nobody lists a folder of as many files as there are runs, and a process that died is seen to be dead.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rethinkdc.errors import RequestError
from rethinkdc.storage import lock, make_folder, show_path, storing
from rethinkdc.storage.locks import Watch
from rethinkdc.studies.watching import Stage

FOLDER = "journals"
_SUFFIX, _STAGE = ".jsonl", ".stage"
_TELLS = 2.0
"""Seconds between two times that a process tells how far it has come."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)


class Began(_Event):
    """The process begins a unit, by its number."""

    event: Literal["began"] = "began"
    unit: int


class Over(_Event):
    """A unit's run ended.

    Attributes:
        key: of its record.
        attempt: of its record; 0 = it is on no file, but in ``record``.
        seconds: that it took.
        warnings: that it gave.
        record: as JSON data, where it is on no file.
    """

    event: Literal["over"] = "over"
    unit: int
    key: str
    attempt: int
    seconds: float
    warnings: tuple[str, ...] = ()
    record: dict[str, Any] | None = None


class Left(_Event):
    """The process was asked to end, and leaves a unit; says what is kept of it."""

    event: Literal["left"] = "left"
    unit: int
    told: str


class Broke(_Event):
    """The process met what every other would meet too, such as a full disk: the error, and its exit code."""

    event: Literal["broke"] = "broke"
    unit: int
    error: str
    code: int


Event = Began | Over | Left | Broke
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Journal:
    """The journal of this process."""

    def __init__(self, path: Path) -> None:
        self._path, self._told = path, -_TELLS

    @property
    def name(self) -> str:
        """Tells it from others."""
        return self._path.stem

    def tell(self, stage: Stage) -> None:
        """Tells how far the unit has come that the process is at; seldom, and not where it cannot be written."""
        if time.monotonic() - self._told < _TELLS:
            return
        self._told = time.monotonic()
        place = self._path.with_suffix(_STAGE)
        with suppress(OSError):
            place.with_suffix(".new").write_text(json.dumps(asdict(stage)), encoding="utf-8")
            place.with_suffix(".new").replace(place)

    def write(self, event: Event) -> None:
        """Appends an event.

        Raises:
            StorageError: it cannot be written.
        """
        with storing(self._path), self._path.open("ab") as file:
            file.write(event.model_dump_json().encode() + b"\n")


@contextmanager
def journal_in(folder: Path) -> Iterator[Journal]:
    """The journal of this process, among those of a sweep's folder, until it ends.

    Raises:
        RequestError: there are no locks, so that nobody would see that it lives.
    """
    make_folder(folder / FOLDER)
    path = folder / FOLDER / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
    with lock(path.with_suffix(".lock")) as lease:
        if lease is None:
            raise RequestError(
                f"The processes of a sweep tell each other by locks that they live, and {show_path(path.parent)} has "
                "none. Choose a cache on another file system with --cache-dir or RETHINKDC_CACHE."
            )
        yield Journal(path)


class Journals:
    """Reads the journals of a sweep's folder, each line once.

    Attributes:
        over: how units ended, by their number.
    """

    def __init__(self, folder: Path) -> None:
        self.over: dict[int, Over] = {}
        self._folder = folder / FOLDER
        self._read: Counter[str] = Counter()
        self._at: dict[str, int] = {}
        self._watched: dict[str, Watch] = {}

    def refresh(self) -> list[Event]:
        """Reads what was written since, and returns it."""
        news: list[Event] = []
        for name in self._names():
            for event in self._new_lines(name):
                news.append(event)
                if isinstance(event, Began):
                    self._at[name] = event.unit
                    continue
                self._at.pop(name, None)
                if isinstance(event, Over):
                    self.over.setdefault(event.unit, event)
        return news

    def going(self) -> dict[str, int]:
        """The units that living processes are at."""
        return {name: unit for name, unit in self._at.items() if unit not in self.over and self._lives(name)}

    def stages(self) -> Iterator[tuple[int, Stage]]:
        """How far units have come, as the processes tell that are at them."""
        for name, unit in self._at.items():
            with suppress(OSError, ValueError, TypeError):
                yield unit, Stage(**json.loads((self._folder / f"{name}{_STAGE}").read_text(encoding="utf-8")))

    def deaths(self) -> Counter[int]:
        """How many processes died at each unit, without a word."""
        return Counter(unit for name, unit in self._at.items() if not self._lives(name))

    def living(self) -> int:
        """How many processes live that have written anything."""
        return sum(self._lives(name) for name in list(self._read))

    def _lives(self, name: str) -> bool:
        if name not in self._watched:
            self._watched[name] = Watch(self._folder / f"{name}.lock")
        return self._watched[name].lives()

    def _names(self) -> list[str]:
        try:
            files = os.listdir(self._folder)  # noqa: PTH208 - names alone
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX))

    def _new_lines(self, name: str) -> Iterator[Event]:
        with (self._folder / f"{name}{_SUFFIX}").open("rb") as file:
            file.seek(self._read[name])
            # The last line may be half written: it is read when it is whole.
            whole = file.read().rpartition(b"\n")[0]
        if not whole:
            return
        self._read[name] += len(whole) + 1
        for line in whole.split(b"\n"):
            try:
                yield _EVENTS.validate_json(line)
            except ValidationError:  # noqa: PERF203 - one line must not hide the others
                # Torn by a full disk: whatever it said is told again by what is on record.
                continue


__all__ = ["Began", "Broke", "Event", "Journal", "Journals", "Left", "Over", "journal_in"]
