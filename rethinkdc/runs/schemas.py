"""The schemas that records were written under: what each knew, how it is sealed, and how it is read as one of today."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rethinkdc.measurement import Metric
from rethinkdc.storage import digest

SCHEMA_VERSION = 5
"""Raised whenever a record says more or says it otherwise; earlier schemas are read."""
KEEPS_PREDICTIONS = 3
"""The first schema that kept predictions beside a record, and sealed it."""
KEEPS_SHEETS = 4
"""The first schema that kept a contact sheet beside a record; schema 5 tells the code of each method."""

_UNSEALED = (1, 2)
_LATER = ("written_as", "predictions", "seal")
"""Fields that no record without a seal has."""
_FIRST_METRICS = ("top1", "top5", "loss")
_FIRST_STAGES = {"label": "labels"}


def seal_of(content: Mapping[str, Any]) -> str:
    """The digest of all that a record's file says, as JSON data, beside the seal itself.

    It is taken of what the file holds and not of what this version knows, so that it holds whatever fields come later.
    """
    return digest({name: value for name, value in content.items() if name != "seal"})


def fault_of(content: Mapping[str, Any]) -> str:
    """What shows that a record is not as it was written; empty where nothing does.

    Args:
        content: of its file, as JSON data.
    """
    # Never what else the content says of its age: it has a seal, or nothing that came with the seal.
    written = content.get("schema_version")
    if written is None:
        return "it says no schema"
    if written not in _UNSEALED:
        seal, sealed = content.get("seal"), seal_of(content)
        # Both are told by their beginning; a seal may be any text.
        told = f"its seal is {str(seal or 'missing')[:12]}, and that of its content {sealed[:12]}"
        return "" if seal == sealed else told
    later = [name for name in _LATER if name in content]
    return f"it says schema {written}, which had no {' and no '.join(later)}" if later else ""


def as_of_today(content: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a record of any schema as one of today, which says under which it was written."""
    written = content.get("schema_version", SCHEMA_VERSION)
    values = _convert_first(content) if written == 1 else dict(content)
    if written in range(1, SCHEMA_VERSION):
        values["schema_version"] = SCHEMA_VERSION
    return {**values, "written_as": written}


def _convert_first(content: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a record of schema 1.

    It knew six stages by fields of their own, and no metric's direction or unit: those of the framework's evaluator are
    known; of any other metric it is assumed, as boards did then, that more is better.
    """
    values = {key: value for key, value in content.items() if key != "labels"}
    evaluation = content.get("evaluation")
    measured = evaluation.get("metrics") if isinstance(evaluation, dict) else None
    values["metrics"] = [_known_metric(name) for name in measured or _FIRST_METRICS]
    if "labels" in content:
        values["names"] = content["labels"]
    if isinstance(content.get("cost"), dict):
        values["cost"] = _convert_cost(content["cost"])
    return values


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


__all__ = ["KEEPS_PREDICTIONS", "KEEPS_SHEETS", "SCHEMA_VERSION", "as_of_today", "fault_of", "seal_of"]
