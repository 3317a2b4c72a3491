"""A record: everything about one attempt at one run."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.notes import MethodCode, Notes, check_notes
from rethinkdc.runs.cost import Cost, Count
from rethinkdc.runs.definition import Definition
from rethinkdc.runs.schemas import SCHEMA_VERSION, as_of_today, seal_of

Status = Literal["ok", "failed", "unsupported"]


class Names(BaseModel):
    """What people call the parts of a run; ``ipc`` is ``full`` for the whole training set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    compressor: str
    labeler: str
    evaluator: str
    dataset: str
    protocol: str
    student: str
    ipc: str

    @property
    def methods(self) -> str:
        """The compressor and the labeler."""
        return f"{self.compressor} + {self.labeler}"


def name_machine(device: str | None, threads: int | None, ranks: int = 1) -> str:
    """The kind of device, threads, and ranks where there are several: ``cpu (1 thread)``; empty where none is told."""
    told = [] if threads is None else [f"{threads} thread{'s' if threads > 1 else ''}"]
    told += [f"{ranks} ranks"] if ranks > 1 else []
    return f"{device} ({', '.join(told)})" if device and told else device or ""


def _check_environment(environment: dict[str, Any]) -> dict[str, Any]:
    """Of all that it tells, boards read what names a machine."""
    device, threads, ranks = environment.get("device", ""), environment.get("threads"), environment.get("ranks", 1)
    if not isinstance(device, str) or not (threads is None or (type(threads) is int and threads >= 0)):
        raise ValueError("device must be a text, and threads a whole number")
    if type(ranks) is not int or ranks < 1:
        raise ValueError("ranks must be a whole number, from 1 on")
    return environment


class KeptFile(BaseModel):
    """A file beside a record.

    Attributes:
        file: its name; the beginning of its digest.
        sha256: digest of the file.
        bytes: its size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    bytes: Count


class KeptPredictions(KeptFile):
    """The predictions of a run.

    Attributes:
        images: test images that they tell of.
    """

    images: Count


class Record(BaseModel):
    """Everything about one run: its definition, how it ended, what it measured and what it cost.

    ``metrics`` are those that the evaluator declares; the first is its main one. ``predictions`` is None where none
    were kept: by ``--no-predictions``, by an evaluator that has none, or in a record of schema 1 or 2, which
    ``written_as`` tells; ``sheet``, the contact sheet of the set, is None by ``--no-sheet`` and in schemas before 4.
    ``code`` tells by which code each method was carried out, of a set that was found in the cache by which it was made;
    empty in schemas before 5. ``seal`` is the digest of all else that the record's file says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    written_as: int = SCHEMA_VERSION
    key: str
    attempt: Count = 0
    status: Status
    reason: str = ""
    created: str
    names: Names
    definition: Definition
    protocol_digest: str
    dataset_fingerprint: str
    modified: bool
    tune: bool
    track: str
    metrics: tuple[Metric, ...] = Field(min_length=1)
    evaluation: Evaluation | None = None
    result_digest: str | None = None
    predictions: KeptPredictions | None = None
    sheet: KeptFile | None = None
    cost: Cost | None = None
    histogram: list[Count] = []
    sources_per_class: list[Count] = []
    notes: Annotated[dict[str, Any], AfterValidator(check_notes)] = {}
    environment: Annotated[dict[str, Any], AfterValidator(_check_environment)] = {}
    plugins: dict[str, str] = {}
    code: tuple[MethodCode, ...] = ()
    seal: str = ""

    def sealed(self) -> Record:
        """The same with the digest of its content, by which a change by hand or by accident is seen."""
        # Of its spelling in a file: see seal_of.
        return self.model_copy(update={"seal": seal_of(json.loads(self.model_dump_json()))})

    @property
    def results(self) -> dict[str, float]:
        """What was measured, by metric; empty for a run that is not ok."""
        return self.evaluation.metrics if self.evaluation and self.status == "ok" else {}

    @property
    def told(self) -> Notes:
        """What the framework reads of the notes."""
        return Notes.model_validate(self.notes)

    @property
    def machine(self) -> str:
        """What its bits depend on; see :func:`name_machine`."""
        told = self.environment
        return name_machine(told.get("device"), told.get("threads"), told.get("ranks", 1))

    @property
    def main_metric(self) -> Metric:
        """The metric that the evaluator declares first."""
        return self.metrics[0]

    def fault(self) -> str:
        """What no record of a run can say; empty where nothing is. Its seal is no part of it."""
        if self.key != self.definition.key:
            return f"its key is {self.key}, and that of its definition {self.definition.key}"
        told = (self.protocol_digest, self.dataset_fingerprint, self.tune)
        if told != (self.definition.protocol, self.definition.dataset, self.definition.tune):
            return "its protocol, dataset or split is not that of its definition"
        if (self.evaluation is None) != (self.status != "ok"):
            return f"its status is {self.status}, with {'no' if self.evaluation is None else 'an'} evaluation"
        if not _is_time(self.created):
            return f"created is {self.created!r}, which is no time"
        return self.evaluation.fault(self.metrics) if self.evaluation else ""

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, content: Any) -> Any:
        return as_of_today(content) if isinstance(content, dict) else content


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


__all__ = ["SCHEMA_VERSION", "KeptFile", "KeptPredictions", "Names", "Record", "Status", "name_machine"]
