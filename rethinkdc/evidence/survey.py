"""A comparison under the settings of a declared family of protocols: what was asked, and all results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rethinkdc.measurement import Metric
from rethinkdc.statistics import mean_of


@dataclass(frozen=True)
class Cell:
    """The runs of one method under one setting.

    Attributes:
        values: the metric by ``SET/STUDENT``, the seeds of both.
        missing: why there is none, alike.
        records: keys of the runs with a result, in the order of ``values``.
    """

    values: Mapping[str, float]
    missing: Mapping[str, str]
    records: tuple[str, ...]

    @property
    def mean(self) -> float | None:
        """Over all runs; None where one is missing."""
        return None if self.missing else mean_of(self.values.values())


@dataclass(frozen=True)
class SettingResult:
    """A setting of the family: a complete protocol, and what the methods reach under it.

    Attributes:
        number: from 1, in the design's order.
        levels: the number of the level of each knob, from 0.
        names: the name of each.
        protocol: id and version of the protocol that is changed.
        protocol_digest: of the complete protocol of this setting.
        overrides: what is changed.
        student: printed form.
        labeler: printed form.
        cells: by method.
    """

    number: int
    levels: tuple[int, ...]
    names: Mapping[str, str]
    protocol: str
    protocol_digest: str
    overrides: Mapping[str, Any]
    student: str
    labeler: str
    cells: Mapping[str, Cell]

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return not any(cell.missing for cell in self.cells.values())


@dataclass(frozen=True)
class Survey:
    """What was asked: a comparison under the settings of a declared family.

    Attributes:
        family: what it is called.
        dataset: its name.
        ipc: images per class.
        metric: what is compared.
        design: which settings are run, in words.
        grid: how many there are in all.
        resolution: of a fraction; empty where all settings are run.
        knobs: the names of the levels of each.
        methods: printed forms.
        sets: seeds of the sets of each method.
        students: how many are trained on each set.
        settings: with their results.
        machines: what computed them.
    """

    family: str
    dataset: str
    ipc: int
    metric: Metric
    design: str
    grid: int
    resolution: str
    knobs: Mapping[str, tuple[str, ...]]
    methods: tuple[str, ...]
    sets: tuple[int, ...]
    students: int
    settings: tuple[SettingResult, ...]
    machines: tuple[str, ...]

    @property
    def complete(self) -> tuple[SettingResult, ...]:
        """The settings of which every run has a result: only these count."""
        return tuple(setting for setting in self.settings if setting.complete)


__all__ = ["Cell", "SettingResult", "Survey"]
