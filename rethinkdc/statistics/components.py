"""Where a spread comes from: from the sets, or from the students that are trained on each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rethinkdc.statistics.spread import mean_of


@dataclass(frozen=True)
class Components:
    """Two standard deviations, the roots of variance components.

    Attributes:
        over_sets: of what sets are worth, without their students' noise; 0 where the estimate is negative, None for
            one set.
        over_students: of students trained on one set.
        sets: number of sets.
        students: number of students in all.
    """

    over_sets: float | None
    over_students: float
    sets: int
    students: int


def part_variance(groups: Sequence[Sequence[float]]) -> Components | None:
    """Parts the variance over sets from that over students, by the analysis of variance of one random effect.

    Students count as nested in their sets, also where sets share students' seeds. Sets may have different numbers of
    students; the mean size is then that of Searle, Casella and McCulloch, *Variance Components* (1992), 3.6.

    Args:
        groups: for each set the results of its students; at least one each.

    Returns:
        None where no set has two students: then the two cannot be told apart.
    """
    students, sets = sum(map(len, groups)), len(groups)
    if students == sets:
        return None
    means = [mean_of(group) for group in groups]
    squares = ((value - mean) ** 2 for group, mean in zip(groups, means, strict=True) for value in group)
    within = math.fsum(squares) / (students - sets)
    if sets == 1:
        return Components(None, math.sqrt(within), sets, students)
    overall = mean_of([value for group in groups for value in group])
    apart = (len(group) * (mean - overall) ** 2 for group, mean in zip(groups, means, strict=True))
    between = math.fsum(apart) / (sets - 1)
    size = (students - sum(len(group) ** 2 for group in groups) / students) / (sets - 1)
    return Components(math.sqrt(max(0.0, (between - within) / size)), math.sqrt(within), sets, students)
