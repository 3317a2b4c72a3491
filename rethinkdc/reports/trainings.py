"""What happened inside runs, read from their records and summed up row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from rethinkdc.boards import Board, Row
from rethinkdc.measurement import Metric
from rethinkdc.reports.conditions import metric_of
from rethinkdc.reports.figures import Point, Quartiles, Unit
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.texts import visible

METHODS = 12
"""The best of a board, whose trainings are drawn: more lines than these tell nothing."""
RUNS = 5
"""Of each method, the first by key: enough for a mean curve."""
OPENED = 1000
"""Records of a report that are opened at most, so that it ends soon whatever number lies in the folder."""
LOSS = "train_loss"
_POINTS = 120
"""Of a line: more than a screen has room for."""


@dataclass(frozen=True)
class Training:
    """Means over a row's runs.

    Attributes:
        curves: by followed number, what it was at each epoch, at most 120 of them.
        units: of these numbers.
        classes: how the top-1 of the classes spreads; None where no run tells of classes.
        environments: what the runs were measured on, each with its number of runs.
        first: the run of the least seed, without what it says of epochs and classes; None where no record is left.
    """

    curves: dict[str, tuple[Point, ...]]
    units: dict[str, Unit]
    classes: Quartiles | None
    environments: Counter[str]
    first: Record | None


def choose_rows(board: Board) -> list[Row]:
    """The best rows with a result, and the whole training set."""
    rows = [(metric_of(board).gain(row.result.mean, 0.0), row) for row in board.rows if row.result and not row.full]
    rows.sort(key=lambda pair: -pair[0])
    return [row for _, row in rows[:METHODS]] + [row for row in board.rows if row.full and row.result]


def read_trainings(records: Records, boards: Sequence[Board]) -> list[tuple[Board, list[tuple[Row, Training]]]]:
    """What happened inside the runs of each board's best rows, as long as records may be opened.

    Raises:
        RethinkError: a file is no record any more.
    """
    chosen = [(board, choose_rows(board)) for board in boards]
    runs = max(1, min(RUNS, OPENED // max(1, sum(len(rows) for _, rows in chosen))))
    opened, left = [], OPENED
    for board, rows in chosen:
        if left < len(rows):
            break
        opened.append((board, [(row, _read(records, row.keys[:runs])) for row in rows]))
        left -= runs * len(rows)
    return opened


def _read(records: Records, keys: Sequence[str]) -> Training:
    runs = [found for key in keys if (found := records.find(key))]
    metrics = {metric.name: metric for run in runs for metric in run.metrics}
    curves = _average(runs)
    environments = Counter(describe_environment(run.environment) for run in runs)
    units = {name: _unit_of(metrics.get(name)) for name in curves}
    return Training(curves, units, _spread(runs), environments, _first(runs))


def describe_environment(environment: dict[str, Any]) -> str:
    """Device, threads and versions, in one line."""
    versions = environment.get("versions") or {}
    parts = [
        f"{environment.get('device', 'unknown device')} ({environment.get('device_name', 'unknown')})",
        f"{environment.get('threads', '?')} threads",
        f"Python {environment.get('python', '?')}",
        str(environment.get("platform", "")),
        *(f"{name} {version}" for name, version in versions.items()),
    ]
    return visible(", ".join(part for part in parts if part))


def _first(runs: Sequence[Record]) -> Record | None:
    if not runs:
        return None
    first = min(runs, key=lambda run: (run.definition.seeds.set, run.definition.seeds.student, run.key))
    return first.model_copy(update={"evaluation": None, "histogram": [], "sources_per_class": []})


def _unit_of(metric: Metric | None) -> Unit:
    return metric.unit if metric else "number"


def _average(runs: Sequence[Record]) -> dict[str, tuple[Point, ...]]:
    values: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for entry in run.evaluation.curve if run.evaluation else ():
            for name, value in entry.items():
                if name != "epoch" and np.isfinite(value):
                    values[name][entry["epoch"]].append(value)
    return {
        name: _thin([Point(epoch, fmean(found)) for epoch, found in sorted(by_epoch.items())])
        for name, by_epoch in values.items()
    }


def _thin(points: list[Point]) -> tuple[Point, ...]:
    """Evenly, the first and the last among them."""
    if len(points) <= _POINTS:
        return tuple(points)
    return tuple(points[place] for place in np.linspace(0, len(points) - 1, _POINTS).round().astype(int))


def _spread(runs: Sequence[Record]) -> Quartiles | None:
    classes = [run.evaluation.per_class for run in runs if run.evaluation and run.evaluation.per_class]
    if not classes or len({len(one) for one in classes}) > 1:
        return None
    return Quartiles(*map(float, np.quantile(np.mean(classes, axis=0), [0, 0.25, 0.5, 0.75, 1])))
