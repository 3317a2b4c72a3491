"""What the making of something told and cost, summed up for a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged_notes(notes: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for a record from two sources: teachers and external data add up, of all else the newer counts."""
    merged = {**notes, **more}
    if external := {*notes.get("external_data", ()), *more.get("external_data", ())}:
        merged["external_data"] = sorted(external)
    teachers: dict[str, dict[str, Any]] = {key: dict(about) for key, about in notes.get("teachers", {}).items()}
    for key, about in more.get("teachers", {}).items():
        known = teachers.get(key, {})
        measured = known.get("top1") if about["top1"] is None else about["top1"]
        roles = sorted({*known.get("for", ()), *about["for"]})
        teachers[key] = {**about, "top1": measured, "for": roles}
    return {**merged, "teachers": teachers} if teachers else merged


def by_stage(costs: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage from ``stage:key`` -> seconds."""
    seconds: dict[str, float] = {}
    for key, value in costs.items():
        if ":" in key:
            stage = key.partition(":")[0]
            seconds[stage] = seconds.get(stage, 0.0) + value
    return seconds
