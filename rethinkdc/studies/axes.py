"""Blocks of runs, complete: every value of each axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rethinkdc.studies.family import Setting, flatten
from rethinkdc.studies.sets import StudySet


@dataclass(frozen=True)
class Axes:
    """A block of runs, complete; None where an axis is open: then the protocol's value holds, or the dataset's."""

    compressors: tuple[str | StudySet, ...]
    labelers: tuple[str, ...]
    protocols: tuple[str | None, ...]
    students: tuple[str | None, ...]
    ipc: tuple[int, ...]
    keep: tuple[float, ...]
    seeds: tuple[int, ...] | str | None
    overrides: tuple[Mapping[str, Any], ...]
    setting: Setting | None = None


def make_axes(values: Mapping[str, Any]) -> Axes:
    """A block of the values of a study's fields, each in either spelling."""
    tables = values["overrides"]
    return Axes(
        compressors=values["compressors"],
        labelers=values["labelers"],
        protocols=values["protocols"] or (values["protocol"],),
        students=values["students"] or (values["student"],),
        ipc=values["ipc"] or (),
        keep=values["keep"] or (),
        seeds=values["seeds"],
        overrides=(tables,) if isinstance(tables, dict) else tables or ({},),
    )


def under(setting: Setting, whole: Axes) -> Axes:
    """A block under a setting of its family."""
    sets, (labeler,) = setting.sets, whole.labelers
    return replace(
        whole,
        labelers=(sets.get("labeler", labeler),),
        protocols=(sets.get("protocol", whole.protocols[0]),),
        students=(sets.get("student", whole.students[0]),),
        overrides=({**dict(flatten(whole.overrides[0])), **setting.overrides},),
        setting=setting,
    )
