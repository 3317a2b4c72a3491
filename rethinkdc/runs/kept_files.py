"""Files beside a record: each named by its content and checksummed by the record that names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.runs.record import KeptFile, Record
from rethinkdc.runs.records import Records
from rethinkdc.storage import file_digest, read_regular, write_atomic

_NAMED = 24
"""Characters of the digest that name a file."""


@dataclass(frozen=True)
class Beside:
    """What is kept beside a record: what the student says of each test image, and a picture of the set."""

    predictions: bool = True
    sheet: bool = True


def keep_file(records: Records, key: str, payload: bytes, suffix: str, what: str) -> KeptFile:
    """Writes a file beside the records of a run; equal ones of several attempts are one file.

    Args:
        records: where.
        key: of the run.
        payload: the content.
        suffix: how the file's name ends.
        what: it holds, as an error says it.

    Raises:
        StorageError: it cannot be written.
    """
    sha256 = hashlib.sha256(payload).hexdigest()
    kept = KeptFile(file=f"{sha256[:_NAMED]}{suffix}", sha256=sha256, bytes=len(payload))
    path = records.folder / key / kept.file
    # What was damaged since an earlier attempt wrote it is whole again.
    if not path.is_file() or file_digest(path) != sha256:
        write_atomic(path, payload, what)
    return kept


def read_file(record: Record, kept: KeptFile | None, records: Records, what: str, since: int, otherwise: str) -> bytes:
    """The content of a file beside a record.

    Args:
        record: of the run.
        kept: the file that it names; None = none.
        records: the folder that the record lies in.
        what: the file holds, as an error says it.
        since: the first schema that kept such files.
        otherwise: why a run of today with a result has none.

    Raises:
        RequestError: none was kept; says why.
        DamagedError: the file is gone or was changed.
    """
    if kept is None:
        why = (
            f"it was written under schema {record.written_as}, which kept none; --force runs it again"
            if record.written_as < since
            else otherwise
            if record.results
            else "it has no result"
        )
        raise RequestError(f"The record {records.path(record.key, record.attempt)} has no {what}: {why}.")
    return read_kept(kept, records.folder / record.key, what)


def read_kept(kept: KeptFile, folder: Path, what: str) -> bytes:
    """The content of a file that a record names.

    Args:
        kept: the file.
        folder: of the record.
        what: the file holds, as an error says it.

    Raises:
        DamagedError: the file is gone or was changed.
    """
    # A name alone: whatever a record says, nothing outside its own folder is read.
    path = folder / Path(kept.file).name
    try:
        payload = read_regular(path)
    except OSError as error:
        raise DamagedError(f"Cannot read the {what} {path}: {error.strerror}. Copy it from its origin.") from error
    if hashlib.sha256(payload).hexdigest() != kept.sha256:
        raise DamagedError(f"The file {path} is not the one that the record names. Copy it from its origin.")
    return payload
