"""Ranks, and bands of methods that the seeds on record do not tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rethinkdc.boards.entry import Entry
from rethinkdc.boards.results import Baseline
from rethinkdc.boards.row import Row
from rethinkdc.measurement import Metric
from rethinkdc.statistics.families import reject_holm
from rethinkdc.statistics.paired import CONFIDENCE, judge_means

LEAST = 5
"""Seeds below which a method gets no rank."""
_EQUAL = 12
"""Decimals to which means are compared: less is rounding."""


@dataclass(frozen=True)
class Draft:
    """A row before it is ranked.

    Attributes:
        row: what is known of the method by itself, and beside random.
        runs: that it is made of, the first ok attempt of each; empty without a result.
        baseline: ``random`` under the same labels.
        beside: what the row's difference is to.
    """

    row: Row
    runs: tuple[Entry, ...]
    baseline: Baseline
    beside: Baseline


def rank_rows(drafts: Sequence[Draft], metric: Metric) -> tuple[Row, ...]:
    """Best first; then the full sets, then what has no result.

    What has a result for fewer than five seeds stands where its mean puts it, without a rank. Equal means share one.

    A band is a claim about pairs: two methods are told apart where the paired t test over the seeds that both have
    says so at 5 %, after Holm's correction for *all* pairs of ranked methods, since the best is chosen by the data
    that it is compared by. A method leaves the band of a better one only where the pairs favour the better one: means
    over different seeds may order two methods otherwise than their common seeds do. The first band is the best method
    and all that do not leave it; the next begins with the best of the others, and so on. So a method may share the
    first band while a better one with less noise does not. Methods with fewer than two common seeds are never told
    apart.
    """
    placed = [draft for draft in drafts if draft.row.result and not draft.row.full]
    placed.sort(key=lambda draft: draft.row.compressor + draft.row.labeler)
    placed.sort(key=lambda draft: _mean(draft.row, metric), reverse=True)
    ranked = [draft for draft in placed if draft.row.result and draft.row.result.n >= LEAST]
    places = zip(_ranks(ranked, metric), *_bands(ranked, metric), strict=True)
    rows = {id(draft): draft.row for draft in placed}
    for draft, (rank, band, common) in zip(ranked, places, strict=True):
        rows[id(draft)] = replace(draft.row, rank=rank, band=band, band_pairs=common)
    others = [draft.row for draft in drafts if draft.row.full or not draft.row.result]
    others.sort(key=lambda row: (row.result is None, row.compressor, row.labeler))
    return (*rows.values(), *others)


def _mean(row: Row, metric: Metric) -> float:
    assert row.result is not None
    return round(metric.gain(row.result.mean, 0.0), _EQUAL)


def _ranks(ranked: list[Draft], metric: Metric) -> list[int]:
    means = [_mean(draft.row, metric) for draft in ranked]
    first = {mean: place for place, mean in reversed(list(enumerate(means, start=1)))}
    return [first[mean] for mean in means]


def _bands(ranked: list[Draft], metric: Metric) -> tuple[list[int], list[int]]:
    """The band of each method, best first, and the seeds that it shares with the best of its band."""
    pairs = _Pairs(ranked, metric)
    apart = pairs.apart()
    bands, shared = np.zeros(len(ranked), dtype=int), np.zeros(len(ranked), dtype=int)
    band = 0
    while (bands == 0).any():
        band += 1
        leader = int(np.argmax(bands == 0))
        favour, p, common = pairs.of(leader)
        # All before it have a band.
        free = bands[leader:] == 0
        joining = leader + np.flatnonzero(free & ((p >= apart) | (favour <= 0)))
        bands[joining], shared[joining] = band, common[joining - leader]
    return bands.tolist(), shared.tolist()


class _Pairs:
    """All pairs of ranked methods.

    Every pair costs a few numbers a seed, and is worked out anew where it is asked for: two thousand methods of five
    seeds take a second, and never a table of all with all.
    """

    def __init__(self, ranked: list[Draft], metric: Metric) -> None:
        seeds = sorted({_seeds(run) for draft in ranked for run in draft.runs})
        column = {seed: place for place, seed in enumerate(seeds)}
        self._values = np.full((len(ranked), len(seeds)), np.nan)
        for place, draft in enumerate(ranked):
            for run in draft.runs:
                self._values[place, column[_seeds(run)]] = metric.gain(run.results[metric.name], 0.0)
        self._fixed = np.array([draft.row.n_counts == "students" for draft in ranked], dtype=bool)
        self._sets, self._students = (_Groups.of([seed[axis] for seed in seeds]) for axis in (0, -1))

    def of(self, first: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """A method and itself and all behind it, [k] each.

        Returns:
            By how much the first is the better one over the seeds that both have, p of this, and how many these are.
        """
        apart = self._values[first] - self._values[first:]
        by_student = self._fixed[first:] | self._fixed[first]
        moments = np.zeros((3, len(apart)))
        for groups, chosen in ((self._sets, ~by_student), (self._students, by_student)):
            if chosen.any():
                moments[:, chosen] = _moments(groups.means(apart[chosen]))
        return moments[0], judge_means(*moments), moments[2]

    def apart(self) -> float:
        """The p below which Holm's correction for all pairs tells two methods apart at 5 %."""
        size = len(self._values)
        # Larger ones can never be told apart, and there are as many pairs as methods squared.
        small = [p[p <= 1 - CONFIDENCE] for p in (self.of(first)[1][1:] for first in range(size))]
        return reject_holm(np.concatenate([[], *small]), size * (size - 1) // 2)


@dataclass(frozen=True)
class _Groups:
    """Columns that share a seed are averaged first."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, seeds: list[int]) -> _Groups:
        order = np.argsort(seeds, kind="stable")
        _, starts = np.unique(np.asarray(seeds)[order], return_index=True)
        return cls(order, starts)

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Float [m, seeds] -> [m, groups]; NaN where a group has no value."""
        sorted_values = values[:, self.order]
        if len(self.starts) == len(self.order):
            return sorted_values
        there = ~np.isnan(sorted_values)
        counts = np.add.reduceat(there, self.starts, axis=1, dtype=np.int64)
        sums = np.add.reduceat(np.where(there, sorted_values, 0.0), self.starts, axis=1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, standard deviation (n - 1) and number of the values that are there: float [m, n] -> [3, m]."""
    there = ~np.isnan(values)
    counts = there.sum(axis=1)
    means = np.where(there, values, 0.0).sum(axis=1) / np.maximum(counts, 1)
    squares = np.where(there, (values - means[:, None]) ** 2, 0.0).sum(axis=1)
    return np.stack([means, np.sqrt(squares / np.maximum(counts - 1, 1)), counts.astype(np.float64)])


def _seeds(run: Entry) -> tuple[int, ...]:
    seeds = run.seeds
    return (seeds.set, seeds.proxy, seeds.teacher, seeds.labels, seeds.student)
