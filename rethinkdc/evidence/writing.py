"""Answers as JSON, beside the study that gave them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rethinkdc.evidence.comparison import Comparison
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.evidence.telling import tell_sensitivity
from rethinkdc.evidence.wording import tell_comparison, tell_explanation
from rethinkdc.runs.schemas import seal_of
from rethinkdc.storage import write_atomic

ANSWER_FILE = "answer.json"
Answer = Explanation | Comparison | Sensitivity


def write_answer(answer: Answer, folder: Path) -> Path:
    """Writes the answer, sealed, into the folder of its question; the same records give the same bytes."""
    file = folder / ANSWER_FILE
    write_atomic(file, (json.dumps(_seal(describe_answer(answer)), indent=1) + "\n").encode())
    return file


def _seal(content: dict[str, Any]) -> dict[str, Any]:
    # Of its spelling in a file, whose keys are texts and whose tuples are lists.
    return {**content, "seal": seal_of(json.loads(json.dumps(content)))}


def describe_answer(answer: Answer) -> dict[str, Any]:
    """An answer as JSON data: fractions, the keys of the records that it is made of, and what it says in words."""
    if isinstance(answer, Sensitivity):
        return {**asdict(answer), "says": list(tell_sensitivity(answer))}
    return _describe_explanation(answer) if isinstance(answer, Explanation) else _describe_comparison(answer)


def _describe_explanation(answer: Explanation) -> dict[str, Any]:
    return {
        "question": "explain",
        "method": answer.method,
        "labeler": answer.labeler,
        "conditions": asdict(answer.conditions),
        "chance": answer.chance,
        "counted": answer.counted,
        "seeds": list(answer.seeds),
        "shares": {share.switch: asdict(share.difference) for share in answer.shares},
        "total": answer.total and asdict(answer.total),
        "floor": answer.floor and asdict(answer.floor),
        "corners": [{**asdict(corner), **_outcome(outcome)} for corner, outcome in answer.corners.items()],
        "beside": {name: _outcome(outcome) for name, outcome in answer.beside.items()},
        "says": list(tell_explanation(answer)),
    }


def _describe_comparison(answer: Comparison) -> dict[str, Any]:
    return {
        "question": "compare",
        "labeler": answer.labeler,
        "conditions": asdict(answer.conditions),
        "contenders": [
            {
                "method": one.method,
                "role": one.role,
                "student": one.student,
                "counted": one.counted,
                "difference": one.difference and asdict(one.difference),
                **_outcome(one.outcome),
            }
            for one in answer.contenders
        ],
        "says": list(tell_comparison(answer)),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "result": outcome.spread and asdict(outcome.spread),
        "values": _by_seed(outcome.values),
        "missing": _by_seed(outcome.missing),
        "records": list(outcome.keys),
        "machines": list(outcome.machines),
    }


def _by_seed(values: Mapping[int, Any]) -> dict[str, Any]:
    return {str(seed): value for seed, value in values.items()}
