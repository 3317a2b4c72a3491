"""Answers read back from where questions left them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError

from rethinkdc.documents import parse_json
from rethinkdc.errors import RequestError
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import Corner
from rethinkdc.evidence.explanation import Explanation, explain_corners
from rethinkdc.evidence.outcome import Counted, Outcome
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.evidence.writing import ANSWER_FILE
from rethinkdc.protocol.faults import list_faults
from rethinkdc.runs.schemas import seal_of
from rethinkdc.storage import read_regular

_MOST_BYTES = 64 << 20
"""Of an answer: one of a hundred seeds has a thousandth."""


def read_answers(place: Path) -> list[Explanation | Sensitivity]:
    """The answers of ``explain`` and ``robust`` in a folder of questions, or in that of one; those of ``compare`` not.

    Of an explanation shares and intervals are worked out again from the results of the corners. One without a seal is
    warned of.

    Raises:
        RequestError: there is no such folder or answer, or one cannot be read.
    """
    files = sorted({*place.glob(ANSWER_FILE), *place.glob(f"*/{ANSWER_FILE}")})
    if not files:
        raise RequestError(
            f"There is no {ANSWER_FILE} in {place} or its folders. `rethinkdc explain METHOD` writes one, below "
            "./evidence unless --out says otherwise."
        )
    return [answer for file in files if (answer := _read(file))]


class _Outcome(BaseModel):
    values: dict[int, FiniteFloat]
    missing: dict[int, str]
    records: tuple[str, ...]
    machines: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.values, self.missing, self.records, self.machines)


class _Corner(_Outcome):
    images: Literal["noise", "own"]
    labels: Literal["hard", "soft"]
    views: Literal["fixed", "new"]


class _Written(BaseModel):
    """What is read of an answer; the rest follows from it."""

    method: str
    labeler: str
    conditions: Conditions
    chance: Annotated[float, Field(gt=0, le=1)] | None
    counted: Counted
    corners: list[_Corner]
    beside: dict[str, _Outcome]


def _read(file: Path) -> Explanation | Sensitivity | None:
    asked = ""
    try:
        content = parse_json(read_regular(file, _MOST_BYTES))
        asked = content["question"]
        if asked not in ("explain", "robust"):
            return None
        _check_seal(file, content)
        if asked == "robust":
            # Whoever draws it needs numbers: this refuses what no file of ours holds.
            json.dumps(content, allow_nan=False)
            return TypeAdapter(Sensitivity).validate_python(content)
        return _explanation(_Written.model_validate(content))
    except (OSError, ValueError, KeyError, TypeError) as error:
        kind = Sensitivity if asked == "robust" else _Written
        told = list_faults(error, content, kind)[0] if isinstance(error, ValidationError) else str(error)
        raise RequestError(
            f"{file} is no answer that {asked or 'explain'} wrote ({type(error).__name__}: {told}). Ask again: what is "
            "on record is not run twice."
        ) from None


def _check_seal(file: Path, content: dict[str, Any]) -> None:
    """Refuses what was changed since it was written; of an answer that never had a seal a warning tells."""
    if "seal" not in content:
        warnings.warn(
            f"{file} has no seal: it was written before answers had one, or was changed since. Ask again to be "
            "sure: what is on record is not run twice.",
            stacklevel=4,
        )
    elif content["seal"] != (sealed := seal_of(content)):
        raise ValueError(f"its seal is {str(content['seal'])[:12]}, and that of its content {sealed[:12]}")


def _explanation(written: _Written) -> Explanation:
    return explain_corners(
        {Corner(one.images, one.labels, one.views): one.outcome for one in written.corners},
        {name: one.outcome for name, one in written.beside.items()},
        method=written.method,
        conditions=written.conditions,
        labeler=written.labeler,
        classes=round(1 / written.chance) if written.chance is not None else None,
        counted=written.counted,
    )
