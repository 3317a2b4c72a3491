"""The folder of records: one JSON file per run and attempt, append-only."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from rethinkdc.documents import parse_json
from rethinkdc.errors import RecordError, RequestError
from rethinkdc.runs.record import Record, Status
from rethinkdc.runs.schemas import SCHEMA_VERSION, fault_of
from rethinkdc.storage import expand_home, read_regular, show_path, writable, write_new

ENVIRONMENT = "RETHINKDC_RECORDS"


MOST_BYTES = 64 << 20
"""A record of 1,000 classes and 300 epochs has less than a hundredth."""
MOST_LISTED = 10_000
"""Runs that are looked at where some of them tell as much as all; keys are digests, so that any are a fair sample."""
_KEY = re.compile(r"[0-9a-f]{24}")
_FILE = re.compile(r"[0-9].*\.json")


def default_records_folder() -> Path:
    """``RETHINKDC_RECORDS``, or ``./records``."""
    return Path(os.environ.get(ENVIRONMENT, "records"))


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class Records:
    """The records under one folder: ``<key>/<attempt>.json``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = expand_home(folder or default_records_folder())

    def check_writable(self, key: str = "") -> None:
        """Refuses to begin work whose result could not be kept.

        Args:
            key: of the run, which may have a folder of another user's.

        Raises:
            RequestError: the folder cannot be written.
            StorageError: there is no room for a file in it.
        """
        for folder in (self.folder, self.folder / key):
            # One that is not there yet is made with the record.
            if (folder == self.folder or os.path.lexists(folder)) and not writable(folder):
                raise RequestError(
                    f"The records folder {show_path(folder)} cannot be written. Choose another with --records or "
                    f"{ENVIRONMENT}."
                )

    def path(self, key: str, attempt: int) -> Path:
        """Where an attempt's record lies."""
        return self.folder / key / f"{attempt:04d}.json"

    def attempts(self, key: str) -> list[Record]:
        """All attempts at a run, first to last.

        Raises:
            RecordError: one of them is no record, or cannot be read.
            RequestError: the records folder cannot be read.
        """
        try:
            files = _files_in(self.folder / key)
        except RecordError:
            # Names the folder of all records, where it is that one.
            self._folders()
            raise
        return [self.read_in_place(path) for path in files]

    def find(self, key: str, machine: str = "") -> Record | None:
        """The first attempt that is ok: the one that boards rank.

        Args:
            key: of the run.
            machine: whose attempts come before those of others, as :func:`~rethinkdc.runs.record.name_machine` names
                it; empty = all are alike.
        """
        return first_ok_of(self.attempts(key), machine)

    def named(self, name: str) -> Record | None:
        """The record that a user names: by its file, or by its key, of which the ok attempt counts, else the last.

        Raises:
            RecordError: the file is no record.
        """
        path = Path(name).expanduser()
        if path.suffix == ".json" and os.path.isfile(path):  # noqa: PTH113 - does not raise where this user may not look
            return self.read(path)
        attempts = self.attempts(name) if _KEY.fullmatch(name) else []
        return next((record for record in attempts if record.status == "ok"), attempts[-1] if attempts else None)

    def all(self) -> Iterator[Record]:
        """Every record, in the order of keys and attempts."""
        for folder in self._folders():
            for path in _files_in(folder):
                yield self.read_in_place(path)

    def readable(self) -> Iterator[Record]:
        """As :meth:`all`, but a file that is no record or cannot be read is warned of and left out."""
        yield from self._readable(self._files())

    def newest(self, count: int) -> Iterator[Record]:
        """As :meth:`readable`, of the files that were written last, the newest first.

        Of more than :data:`MOST_LISTED` runs so many are looked at, as the file system lists them.
        """
        yield from self._readable(sorted(self._files(MOST_LISTED), key=_written, reverse=True)[:count])

    def add(self, record: Record) -> Record:
        """Writes a record under the next free attempt number; never replaces a file.

        Raises:
            StorageError: it cannot be written.
        """
        place = self.folder / record.key
        attempt = max((int(path.stem) for path in place.glob("[0-9]*.json")), default=0) + 1
        while True:
            numbered = record.model_copy(update={"attempt": attempt}).sealed()
            payload = numbered.model_dump_json(indent=1).encode()
            if write_new(self.path(record.key, attempt), payload, "the record"):
                return numbered
            attempt += 1

    def read(self, path: Path) -> Record:
        """Reads one record file, of this schema or of an earlier one.

        Raises:
            RecordError: the file is no record of a schema that this version reads, or not as it was written.
        """
        try:
            content = parse_json(read_regular(path, MOST_BYTES))
            record = Record.model_validate(content)
            fault = fault_of(content) or record.fault()
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise _unreadable(path, f"{where}: {first['msg']}") from None
        except PermissionError as error:
            raise _forbidden(path, error) from None
        except OSError as error:
            raise _unreadable(path, str(error.strerror)) from None
        except ValueError as error:
            raise _unreadable(path, f"no JSON: {error}") from None
        if fault:
            raise RecordError.at(path, f"is not as a run wrote it: {fault}")
        return record

    def read_in_place(self, path: Path) -> Record:
        """As :meth:`read`, of a record that must lie in its run's folder: elsewhere it would pass for another run's.

        Raises:
            RecordError: it lies in another's.
        """
        record = self.read(path)
        if record.key != path.parent.name:
            raise RecordError.at(path, f"is a record of the run {record.key}, in another's folder")
        if f"{record.attempt:04d}" != path.stem:
            raise RecordError.at(path, f"is the record of attempt {record.attempt}, under another number")
        return record

    def _readable(self, files: list[Path]) -> Iterator[Record]:
        for path in files:
            try:
                yield self.read_in_place(path)
            except RecordError as error:  # noqa: PERF203 - one file must not hide the others
                warnings.warn(f"A record is left out: {error}", stacklevel=3)

    def _folders(self, most: int | None = None) -> list[Path]:
        """What may be the folder of a run; at most so many, any of them.

        Raises:
            RequestError: the records folder cannot be read.
        """
        try:
            if most is not None:
                with os.scandir(self.folder) as entries:
                    return sorted(self.folder / entry.name for entry in islice(entries, most))
            return sorted(self.folder / name for name in os.listdir(self.folder))  # noqa: PTH208 - as below
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unreadable_folder(self.folder, error) from None

    def _files(self, most: int | None = None) -> list[Path]:
        files = []
        for folder in self._folders(most):
            try:
                files += _files_in(folder)
            except RecordError as error:  # noqa: PERF203 - one folder must not hide the others
                warnings.warn(f"A record is left out: {error}", stacklevel=4)
        return files


def first_ok_of(attempts: list[Record], machine: str = "") -> Record | None:
    """The first attempt that is ok, of this machine where it has one."""
    ok = [record for record in attempts if record.status == "ok"]
    return next((record for record in ok if record.machine == machine), ok[0] if ok else None)


def unreadable_folder(folder: Path, error: OSError) -> RequestError:
    """The error of a records folder that cannot be read."""
    return RequestError(
        f"The records folder {show_path(folder)} cannot be read: {error.strerror}. Ask its owner, or choose another "
        f"with --records or {ENVIRONMENT}."
    )


def _files_in(folder: Path) -> list[Path]:
    """The files of attempts in a run's folder, first to last.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        # By the name under which tests make it fail.
        return sorted(folder / name for name in os.listdir(folder) if _FILE.fullmatch(name))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _forbidden(folder, error) from None


def _written(path: Path) -> int:
    """When a file was written, in nanoseconds; the earliest of all where this user may not look."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _forbidden(path: Path, error: OSError) -> RecordError:
    fault = f"cannot be read: {error.strerror}"
    return RecordError(f"{show_path(path)} {fault}. Ask its owner for permission to read it.", fault=fault)


def _unreadable(path: Path, why: str) -> RecordError:
    return RecordError.at(path, f"is not a readable record: {why}")


__all__ = [
    "ENVIRONMENT",
    "SCHEMA_VERSION",
    "Record",
    "Records",
    "Status",
    "default_records_folder",
    "first_ok_of",
    "now",
    "unreadable_folder",
]
