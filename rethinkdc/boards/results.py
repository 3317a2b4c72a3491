"""Results of one method by seed: which attempt counts, what is averaged, and what is paired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rethinkdc.boards.entry import Entry
from rethinkdc.seeds import Axis
from rethinkdc.statistics import mean_of


def first_ok(entries: Iterable[Entry]) -> list[Entry]:
    """The first ok attempt of each run."""
    firsts: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.attempt):
        if entry.status == "ok":
            firsts.setdefault(entry.key, entry)
    return list(firsts.values())


def counted_axis(entry: Entry) -> Axis:
    """What n counts: sets, or students where there is one set whatever the seeds."""
    return "student" if entry.fixed else "set"


def groups_by_seed(runs: Iterable[Entry], metric: str, axis: Axis) -> dict[int, list[float]]:
    """Results that share the seed of an axis, by that seed."""
    return _grouped((_seed(run, axis), run.results[metric]) for run in runs if metric in run.results)


def means_by_seed(groups: dict[int, list[float]]) -> dict[int, float]:
    """One number a seed: what differs in other seeds only is averaged first."""
    return {seed: mean_of(values) for seed, values in groups.items()}


@dataclass(frozen=True)
class Baseline:
    """The runs of ``random`` under one labelling, by their condition."""

    by_condition: dict[str, Entry]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Baseline:
        """Of all attempts at them."""
        return cls({run.condition: run for run in first_ok(entries)})

    @property
    def any(self) -> Entry | None:
        """One of them; None where there is none."""
        return next(iter(self.by_condition.values()), None)

    def pairs(self, runs: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
        """Runs with those of the baseline under the same condition, all seeds included."""
        return [(run, self.by_condition[run.condition]) for run in runs if run.condition in self.by_condition]


def pair_results(pairs: Iterable[tuple[Entry, Entry]], metric: str, axis: Axis) -> dict[int, float]:
    """What pairs differ by, a mean by the seed of an axis."""
    differences = (
        (_seed(run, axis), run.results[metric] - other.results[metric])
        for run, other in pairs
        if metric in run.results and metric in other.results
    )
    return means_by_seed(_grouped(differences))


def _seed(run: Entry, axis: Axis) -> int:
    return int(getattr(run.seeds, axis))


def _grouped(values: Iterable[tuple[int, float]]) -> dict[int, list[float]]:
    groups: dict[int, list[float]] = defaultdict(list)
    for seed, value in values:
        groups[seed].append(value)
    return dict(sorted(groups.items()))
