"""A record: everything about one attempt at one run."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rethinkdc.contracts.evaluation import Evaluation, Metric
from rethinkdc.runs.cost import Cost
from rethinkdc.runs.definition import Definition
from rethinkdc.storage import digest

SCHEMA_VERSION = 3
"""Raised whenever a record says more or says it otherwise; earlier schemas are read."""
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


class KeptPredictions(BaseModel):
    """Where the predictions of a run lie.

    Attributes:
        file: name beside the record; the beginning of its digest.
        sha256: digest of the file.
        bytes: its size.
        images: test images that it tells of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    bytes: int
    images: int


class Record(BaseModel):
    """Everything about one run: its definition, how it ended, what it measured and what it cost.

    ``metrics`` are those that the evaluator declares; the first is its main one. ``predictions`` is None where none
    were kept: by ``--no-predictions``, by an evaluator that has none, or in a record of schema 1 or 2, which
    ``written_as`` tells. ``seal`` is the digest of all else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    written_as: int = SCHEMA_VERSION
    key: str
    attempt: int = 0
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
    cost: Cost | None = None
    histogram: list[int] = []
    sources_per_class: list[int] = []
    notes: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    plugins: dict[str, str] = {}
    seal: str = ""

    def sealed(self) -> Record:
        """The same with the digest of its content, by which a change by hand or by accident is seen."""
        return self.model_copy(update={"seal": self._digest()})

    def is_whole(self) -> bool:
        """Whether nothing was changed since it was sealed; records of schema 1 and 2 have no seal."""
        return self.written_as < SCHEMA_VERSION or self.seal == self._digest()

    def _digest(self) -> str:
        # As it is spelled in a file, and will be when it is read back.
        return digest(json.loads(self.model_dump_json(exclude={"seal"})))

    @property
    def results(self) -> dict[str, float]:
        """What was measured, by metric; empty for a run that is not ok."""
        return self.evaluation.metrics if self.evaluation and self.status == "ok" else {}

    @property
    def main_metric(self) -> Metric:
        """The metric that the evaluator declares first."""
        return self.metrics[0]

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        # Never what the content says of itself: a record of today has a seal, whatever else it claims.
        written = content.get("schema_version", SCHEMA_VERSION)
        if written == 1:
            content = convert_first_schema(content)
        elif written == _WITHOUT_PREDICTIONS:
            content = {**content, "schema_version": SCHEMA_VERSION}
        return {**content, "written_as": written}


def convert_first_schema(content: dict[str, Any]) -> dict[str, Any]:
    """Reads a record of schema 1 as one of today.

    It knew six stages by fields of their own, and no metric's direction or unit: those of the framework's evaluator are
    known; of any other metric it is assumed, as boards did then, that more is better.
    """
    values = {key: value for key, value in content.items() if key != "labels"}
    evaluation = content.get("evaluation")
    measured = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    values |= {
        "schema_version": SCHEMA_VERSION,
        "metrics": [_known_metric(name) for name in measured or _FIRST_METRICS],
    }
    if "labels" in content:
        values["names"] = content["labels"]
    if isinstance(content.get("cost"), dict):
        values["cost"] = _convert_cost(content["cost"])
    return values


_WITHOUT_PREDICTIONS = 2
_FIRST_METRICS = ("top1", "top5", "loss")
_FIRST_STAGES = {"label": "labels"}


def _known_metric(name: str) -> Metric:
    if name == "loss":
        return Metric(name, "lower", "number")
    return Metric(name, "higher", "fraction" if re.fullmatch(r"top\d+", name) else "number")


def _convert_cost(cost: dict[str, Any]) -> dict[str, Any]:
    """``proxy_seconds`` and its like become entries of ``seconds``; a stage that took nothing has none."""
    values: dict[str, Any] = {"seconds": {}, "memory": {}}
    for key, value in cost.items():
        stage, _, what = key.rpartition("_")
        if what not in ("seconds", "memory"):
            values[key] = value
        elif value:
            values[what][_FIRST_STAGES.get(stage, stage)] = value
    return values


__all__ = ["SCHEMA_VERSION", "KeptPredictions", "Names", "Record", "Status", "convert_first_schema"]
