"""Results of one method by seed: which attempt counts, what is averaged, and what is paired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
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
    """What runs are paired with, by all that is equal of a pair: ``random`` or other labels."""

    runs: dict[Hashable, Entry]
    shared: Callable[[Entry], Hashable]

    @classmethod
    def of_random(cls, entries: Iterable[Entry]) -> Baseline:
        """All attempts at runs of ``random`` under one labelling: pairs differ in the compressor alone."""
        return cls._of(entries, lambda run: run.condition)

    @classmethod
    def of_labels(cls, entries: Iterable[Entry]) -> Baseline:
        """All attempts at runs of one labeler on one board: pairs differ in the labels alone."""
        return cls._of(entries, lambda run: (run.compressor, run.seeds))

    @classmethod
    def _of(cls, entries: Iterable[Entry], shared: Callable[[Entry], Hashable]) -> Baseline:
        # Of runs that only versions tell apart the newest counts.
        runs = sorted(first_ok(entries), key=lambda run: (run.created, run.key))
        return cls({shared(run): run for run in runs}, shared)

    @property
    def any(self) -> Entry | None:
        """One of them; None where there is none."""
        return next(iter(self.runs.values()), None)

    def pairs(self, runs: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
        """Runs with those of the baseline that share all else, all seeds included."""
        return [(run, self.runs[self.shared(run)]) for run in runs if self.shared(run) in self.runs]


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
