"""How far a comparison hangs on its protocol: signs, orders and shares of variance over the settings of a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rethinkdc.evidence.survey import Cell, Survey
from rethinkdc.measurement import Metric
from rethinkdc.statistics import Concordance, Estimate, Part, agree, fit_effects, mean_of, part_crossed, weigh

RANDOM = "random"
_DIGITS = 12
"""Differences below it are rounding: two means of the same fractions."""

Table = NDArray[np.float64]
ImagesOf = Callable[[int, str], NDArray[np.float32] | None]
"""A metric of each test image, float32 [images, sets, students], of a setting and a method; None where not known."""


@dataclass(frozen=True)
class LevelMean:
    """The mean difference at one level of a knob, all other knobs in balance.

    Attributes:
        level: its name.
        difference: the mean, for other sets.
        apart: of it the mean over all settings, where what sets have in common cancels.
    """

    level: str
    difference: Estimate
    apart: Estimate


@dataclass(frozen=True)
class KnobEffect:
    """What a knob does to a difference.

    Attributes:
        knob: its name.
        levels: the difference at each.
        effect: the largest of them minus the least.
        share: of the sum of squares between settings, what goes with this knob.
    """

    knob: str
    levels: tuple[LevelMean, ...]
    effect: Estimate
    share: float

    @property
    def flips(self) -> bool:
        """Whether the order at one level is the opposite of that at another."""
        signs = {sign_of(level.difference.mean) for level in self.levels}
        return {1, -1} <= signs

    @property
    def told(self) -> bool:
        """Whether it flips the order by more than noise: of levels on both sides the intervals leave zero out."""
        return {1, -1} <= {level.difference.told for level in self.levels}


@dataclass(frozen=True)
class PairResult:
    """Two methods beside each other under every setting. Differences are gains: above zero the first is better.

    Attributes:
        one: the first, printed form.
        other: the second.
        by_setting: the difference in each complete setting, by its number.
        mean: over these settings.
        unanimous: of the settings above and of those below, how many are so with every set alone.
        knobs: of the design, those whose effect the settings tell, the largest share first.
        parts: of the variance of one result, by source.
    """

    one: str
    other: str
    by_setting: Mapping[int, Estimate]
    mean: Estimate
    unanimous: tuple[int, int]
    knobs: tuple[KnobEffect, ...]
    parts: Mapping[str, Part]

    @property
    def above(self) -> tuple[int, ...]:
        """The settings in which the first is better."""
        return self._of_sign(1)

    @property
    def below(self) -> tuple[int, ...]:
        """The settings in which it is worse."""
        return self._of_sign(-1)

    @property
    def told(self) -> tuple[int, int]:
        """Of those above and of those below, how many differ by more than their noise, each taken alone."""
        signs = [found.told for found in self.by_setting.values()]
        return signs.count(1), signs.count(-1)

    @property
    def turning(self) -> KnobEffect | None:
        """The knob that flips the order; of several the one with the largest share."""
        return next((knob for knob in self.knobs if knob.flips), None)

    def _of_sign(self, sign: int) -> tuple[int, ...]:
        return tuple(number for number, found in self.by_setting.items() if sign_of(found.mean) == sign)


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau between the orders of the methods.

    Attributes:
        settings: between any two settings, of means over all runs.
        by_set: the same of each set alone, by its seed: how much of it is noise.
        within: between any two sets of one setting, a mean over settings: what tau is where no knob moves.
    """

    settings: Concordance
    by_set: Mapping[int, float]
    within: float | None


@dataclass(frozen=True)
class Sensitivity:
    """What a survey says.

    Attributes:
        survey: what was asked, with all results.
        pairs: of methods: those with ``random`` first, then the others, the better one of each named first.
        agreement: None where fewer than two settings are complete.
        images: test images, whose part of the variance is told; 0 where it is not.
    """

    survey: Survey
    pairs: tuple[PairResult, ...] = ()
    agreement: Agreement | None = None
    images: int = 0
    question: str = field(default="robust")

    @property
    def chief(self) -> tuple[PairResult, ...]:
        """The pairs with ``random``; all where it was not run."""
        return tuple(pair for pair in self.pairs if pair.other == RANDOM) or self.pairs


def measure_sensitivity(survey: Survey, images_of: ImagesOf) -> Sensitivity:
    """Counts signs, orders and shares of variance over the complete settings of a survey.

    Args:
        survey: with its results.
        images_of: predictions of the runs; where one lacks them nothing is told of test images.
    """
    if len(survey.complete) < 2:
        return Sensitivity(survey)
    tables = {method: _table(survey, method) for method in survey.methods}
    images = {method: _stack_images(survey, method, images_of) for method in survey.methods}
    counts = {0 if found is None else len(found) for found in images.values()}
    known = min(counts) if len(counts) == 1 else 0
    pairs = []
    for one, other in combinations(survey.methods, 2):
        first, second = _ordered(one, other, tables, survey.metric)
        pairs.append(_compare(survey, first, second, tables, images if known else None))
    pairs.sort(key=lambda pair: (pair.other != RANDOM, -pair.mean.mean))
    return Sensitivity(survey, tuple(pairs), _agreement(tables, survey), known)


def sign_of(difference: float) -> int:
    """1, -1, or 0 of two results that differ by rounding alone."""
    return int(np.sign(round(difference, _DIGITS)))


def _table(survey: Survey, method: str) -> Table:
    """The results of a method in all complete settings, float64 [settings, sets, students]."""
    return np.stack([_values(setting.cells[method], survey) for setting in survey.complete])


def _values(cell: Cell, survey: Survey) -> Table:
    by_set: dict[int, list[tuple[int, float]]] = {}
    for seeds, value in cell.values.items():
        made, student = map(int, seeds.split("/"))
        by_set.setdefault(made, []).append((student, value))
    return np.asarray([[value for _, value in sorted(by_set[made])] for made in survey.sets], dtype=np.float64)


def _stack_images(survey: Survey, method: str, images_of: ImagesOf) -> NDArray[np.float32] | None:
    """float32 [images, settings, sets, students]; None where a run has none, or one for other images."""
    found = [images_of(setting.number, method) for setting in survey.complete]
    told = [one for one in found if one is not None]
    if len(told) < len(found) or len({one.shape for one in told}) > 1:
        return None
    return np.stack(told, axis=1)


def _ordered(one: str, other: str, tables: Mapping[str, Table], metric: Metric) -> tuple[str, str]:
    if RANDOM in (one, other):
        return (other, one) if one == RANDOM else (one, other)
    better = metric.gain(float(tables[one].mean()), float(tables[other].mean())) >= 0
    return (one, other) if better else (other, one)


def _compare(
    survey: Survey,
    one: str,
    other: str,
    tables: Mapping[str, Table],
    images: Mapping[str, NDArray[np.float32] | None] | None,
) -> PairResult:
    sign = survey.metric.gain(1.0, 0.0)
    table = np.round(sign * (tables[one] - tables[other]), _DIGITS)
    apart = None
    if images is not None:
        first, second = images[one], images[other]
        assert first is not None
        assert second is not None
        apart = (sign * (first - second)).astype(np.float64)
    count = len(table)
    unit = np.eye(count).tolist()
    by_set = np.sign(np.round(table.mean(axis=2), _DIGITS))
    numbers = [setting.number for setting in survey.complete]
    return PairResult(
        one=one,
        other=other,
        by_setting={number: weigh(table, unit[place]) for place, number in enumerate(numbers)},
        mean=weigh(table, [1 / count] * count),
        unanimous=(int((by_set > 0).all(axis=1).sum()), int((by_set < 0).all(axis=1).sum())),
        knobs=_knobs(survey, table),
        parts=part_crossed(table, apart),
    )


def _knobs(survey: Survey, table: Table) -> tuple[KnobEffect, ...]:
    rows = [setting.levels for setting in survey.complete]
    found = []
    for (name, levels), effect in zip(survey.knobs.items(), fit_effects(rows, table.mean(axis=(1, 2))), strict=True):
        if effect is None:
            continue
        levels_of = [
            LevelMean(levels[level], weigh(table, weights), weigh(table, [one - 1 / len(table) for one in weights]))
            for level, weights in zip(effect.levels, effect.weights, strict=True)
        ]
        places = sorted(range(len(levels_of)), key=lambda place: levels_of[place].difference.mean)
        high, low = effect.weights[places[-1]], effect.weights[places[0]]
        found.append(
            KnobEffect(
                knob=name,
                levels=tuple(levels_of),
                effect=weigh(table, [a - b for a, b in zip(high, low, strict=True)]),
                share=effect.share,
            )
        )
    return tuple(sorted(found, key=lambda knob: -knob.share))


def _agreement(tables: Mapping[str, Table], survey: Survey) -> Agreement | None:
    boards = np.stack(list(tables.values()), axis=-1).mean(axis=2)
    between = agree(list(boards.mean(axis=1)))
    if between is None:
        return None
    by_set = {
        made: found.mean
        for place, made in enumerate(survey.sets)
        if (found := agree(list(boards[:, place]))) is not None
    }
    within = [found.mean for board in boards if (found := agree(list(board))) is not None]
    return Agreement(between, by_set, mean_of(within) if within else None)


__all__ = [
    "RANDOM",
    "Agreement",
    "ImagesOf",
    "KnobEffect",
    "LevelMean",
    "PairResult",
    "Sensitivity",
    "measure_sensitivity",
    "sign_of",
]
