"""Answers read back from where questions left them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import Corner
from rethinkdc.evidence.explanation import Explanation, explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.writing import ANSWER_FILE
from rethinkdc.measurement import Metric
from rethinkdc.storage import read_regular


def read_explanations(place: Path) -> list[Explanation]:
    """The answers of ``explain`` in a folder of questions, or in that of one; what ``compare`` answered is passed over.

    Shares and intervals are worked out again from the results of the corners.

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


def _read(file: Path) -> Explanation | None:
    try:
        content = json.loads(read_regular(file))
        return _explanation(content) if content["question"] == "explain" else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{file} is no answer that explain wrote ({type(error).__name__}: {error}). Ask again: what is on record "
            "is not run twice."
        ) from None


def _explanation(content: Mapping[str, Any]) -> Explanation:
    about = content["conditions"]
    return explain_corners(
        {Corner(one["images"], one["labels"], one["views"]): _outcome(one) for one in content["corners"]},
        {name: _outcome(one) for name, one in content["beside"].items()},
        method=content["method"],
        conditions=Conditions(**{**about, "metric": Metric(**about["metric"])}),
        labeler=content["labeler"],
        classes=round(1 / content["chance"]) if content["chance"] is not None else None,
        counted=content["counted"],
    )


def _outcome(content: Mapping[str, Any]) -> Outcome:
    values, missing = ({int(seed): one for seed, one in content[key].items()} for key in ("values", "missing"))
    return Outcome(values, missing, tuple(content["records"]), tuple(content.get("machines", ())))
