"""Where an accuracy comes from: the images, the labels, or the augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS, SWITCHES, Corner, Switch
from rethinkdc.evidence.outcome import Counted, Outcome
from rethinkdc.statistics import Difference, attribute, compare_pairs

FULL, EMPTY = CORNERS[-1], CORNERS[0]


@dataclass(frozen=True)
class Share:
    """What a switch is credited with: its Shapley value over seeds, a fraction of test images."""

    switch: Switch
    difference: Difference


@dataclass(frozen=True)
class Explanation:
    """The eight corners of three switches, and what each switch is credited with.

    All numbers are fractions. Only seeds with all eight corners count for the shares and what they sum to.

    Attributes:
        method: what is explained.
        conditions: what all runs share.
        labeler: printed form of the soft labels.
        chance: 1 / classes, of top-1; None for another metric, of which nobody knows what guessing gives.
        counted: what n counts; of a finished set, students.
        corners: of each the results.
        beside: ``random`` and ``shuffled`` under the same soft labels and new views.
        seeds: those with all eight corners.
        shares: of each switch; empty without such a seed.
        total: all switches on minus none: what the shares sum to.
        floor: none on minus chance: what is left of the accuracy over chance; None without it.
    """

    method: str
    conditions: Conditions
    labeler: str
    chance: float | None
    counted: Counted
    corners: Mapping[Corner, Outcome]
    beside: Mapping[str, Outcome]
    seeds: tuple[int, ...]
    shares: tuple[Share, ...]
    total: Difference | None
    floor: Difference | None

    @property
    def missing(self) -> dict[Corner, Mapping[int, str]]:
        """The corners that lack a run, with the seeds and the reasons."""
        return {corner: outcome.missing for corner, outcome in self.corners.items() if outcome.missing}


def explain_corners(
    corners: Mapping[Corner, Outcome],
    beside: Mapping[str, Outcome],
    *,
    method: str,
    conditions: Conditions,
    labeler: str,
    classes: int | None,
    counted: Counted,
) -> Explanation:
    """Attributes what all switches add to the three of them: a Shapley vector for each seed, then intervals over seeds.

    Args:
        corners: results of all eight.
        beside: results of other methods under the corner that has everything on.
        method: what is explained.
        conditions: what all runs share.
        labeler: printed form of the soft labels.
        classes: of the dataset; None where nobody knows.
        counted: what n counts.
    """
    chance = 1 / classes if classes and conditions.metric.name == "top1" else None
    shared = set.intersection(*(set(corners[corner].values) for corner in CORNERS))
    seeds = tuple(sorted(shared))
    worths = [{corner.on: corners[corner].values[seed] for corner in CORNERS} for seed in seeds]
    vectors = [attribute(worth, SWITCHES) for worth in worths]
    return Explanation(
        method=method,
        conditions=conditions,
        labeler=labeler,
        chance=chance,
        counted=counted,
        corners=corners,
        beside=beside,
        seeds=seeds,
        shares=tuple(Share(one, compare_pairs([vector[one] for vector in vectors])) for one in SWITCHES if vectors),
        total=compare_pairs([worth[FULL.on] - worth[EMPTY.on] for worth in worths]) if worths else None,
        floor=None if chance is None or not worths else compare_pairs([worth[EMPTY.on] - chance for worth in worths]),
    )
