"""Records: one JSON file per run and attempt, append-only."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rethinkdc.contracts.evaluation import Evaluation
from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.storage import digest, writable

ENVIRONMENT = "RETHINKDC_RECORDS"
SCHEMA_VERSION = 1
Status = Literal["ok", "failed", "unsupported"]


class Cost(BaseModel):
    """What a run cost, in seconds and bytes; seconds of shared artefacts are those of their making.

    ``selection_memory``: bytes of resident memory that choosing the rows took at its peak, with scores and features,
    without the proxy's training; ``synthesis_memory``: the same of optimising images, with the statistics of real ones,
    without the teacher's training. ``image_bytes``: ``stored`` (lossless PNG), ``lossy`` (JPEG, quality 75) and
    ``recipe`` (rows and boxes to make the set again from the training set); None where that form does not exist or was
    not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    proxy_seconds: float = 0.0
    teacher_seconds: float = 0.0
    selection_seconds: float = 0.0
    synthesis_seconds: float = 0.0
    label_seconds: float = 0.0
    training_seconds: float = 0.0
    selection_memory: int = 0
    synthesis_memory: int = 0
    image_bytes: dict[str, int | None] = {}
    label_bytes: int = 0
    teacher_bytes: int = 0
    teacher_at_training: bool = False

    @property
    def receiver_bytes(self) -> int | None:
        """What a receiver stores: images in the fixed lossy codec, labels, and the teacher where it is needed."""
        lossy = self.image_bytes.get("lossy")
        return None if lossy is None else lossy + self.label_bytes + self.teacher_bytes

    @property
    def label_ratio(self) -> float | None:
        """Bytes of labels over bytes of images in the fixed lossy codec."""
        lossy = self.image_bytes.get("lossy")
        return self.label_bytes / lossy if lossy else None


class Record(BaseModel):
    """Everything about one run: its definition, how it ended, what it measured and what it cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    key: str
    attempt: int = 0
    status: Status
    reason: str = ""
    created: str
    labels: dict[str, str]
    definition: dict[str, Any]
    protocol_digest: str
    dataset_fingerprint: str
    modified: bool
    tune: bool
    track: str
    evaluation: Evaluation | None = None
    result_digest: str | None = None
    cost: Cost | None = None
    histogram: list[int] = []
    sources_per_class: list[int] = []
    notes: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    plugins: dict[str, str] = {}

    @property
    def condition(self) -> str:
        """Digest of the run without its compressor: records of equal condition may be compared."""
        return digest({key: value for key, value in self.definition.items() if key != "compressor"})


def default_records_folder() -> Path:
    """``RETHINKDC_RECORDS``, or ``./records``."""
    return Path(os.environ.get(ENVIRONMENT, "records"))


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class Records:
    """The records under one folder: ``<key>/<attempt>.json``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_records_folder()).expanduser()

    def check_writable(self) -> None:
        """Refuses to begin work whose result could not be kept.

        Raises:
            RequestError: the folder cannot be written.
        """
        if not writable(self.folder):
            raise RequestError(
                f"The records folder {self.folder} cannot be written. Choose another with --records or {ENVIRONMENT}."
            )

    def path(self, key: str, attempt: int) -> Path:
        """Where an attempt's record lies."""
        return self.folder / key / f"{attempt:04d}.json"

    def attempts(self, key: str) -> list[Record]:
        """All attempts at a run, first to last."""
        return [self.read(path) for path in sorted((self.folder / key).glob("[0-9]*.json"))]

    def find(self, key: str) -> Record | None:
        """The first attempt that is ok: the one that boards rank."""
        return next((record for record in self.attempts(key) if record.status == "ok"), None)

    def all(self) -> Iterator[Record]:
        """Every record, in the order of keys and attempts."""
        for path in self._files():
            yield self.read(path)

    def readable(self) -> Iterator[Record]:
        """As :meth:`all`, but a file that is no record is warned of and left out."""
        for path in self._files():
            try:
                yield self.read(path)
            except RethinkError as error:  # noqa: PERF203 - one file must not hide the others
                warnings.warn(f"A record is left out: {error}", stacklevel=2)

    def add(self, record: Record) -> Record:
        """Writes a record under the next free attempt number; never replaces a file.

        Raises:
            RequestError: the folder cannot be written.
        """
        try:
            return self._added(record)
        except OSError as error:
            raise RequestError(f"Cannot write a record into {self.folder}: {error.strerror}.") from error

    def read(self, path: Path) -> Record:
        """Reads one record file.

        Raises:
            RethinkError: the file is no record of a schema that this version reads.
        """
        try:
            return Record.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise RethinkError(f"{path} is not a readable record: {where}: {first['msg']}. Move it away.") from None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*/[0-9]*.json"))

    def _added(self, record: Record) -> Record:
        place = self.folder / record.key
        place.mkdir(parents=True, exist_ok=True)
        taken = [int(path.stem) for path in place.glob("[0-9]*.json")]
        attempt = max(taken, default=0) + 1
        while True:
            numbered = record.model_copy(update={"attempt": attempt})
            handle, temporary = tempfile.mkstemp(dir=place, suffix=".tmp")
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(numbered.model_dump_json(indent=1))
                    file.flush()
                    os.fsync(file.fileno())
                # A link fails when the name exists: two processes never share an attempt.
                _placed(Path(temporary), self.path(record.key, attempt))
                return numbered
            except FileExistsError:
                attempt += 1
            finally:
                Path(temporary).unlink()


def _placed(temporary: Path, final: Path) -> None:
    """Gives a written file its name, unless the name is taken.

    Raises:
        FileExistsError: it is.
    """
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (exFAT, some network mounts): take the name first, then move the content over it.
        with final.open("x"):
            pass
        shutil.copyfile(temporary, final)
