"""Which methods are better than a random subset, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.outcome import Counted, Outcome
from rethinkdc.statistics import Difference, compare_pairs, judge_family

Role = Literal["random", "method", "noise", "full"]


@dataclass(frozen=True)
class Contender:
    """What takes part in a comparison.

    Attributes:
        method: printed form.
        role: what it is there for: ``random`` is what all are compared with, ``noise`` tells what soft labels give
            away alone, ``full`` is the whole training set after as many steps.
        student: printed form of the model that is trained.
        counted: what n counts.
        outcome: its results.
        difference: to ``random``, paired by seeds; of methods with intervals that hold together. None without a pair.
    """

    method: str
    role: Role
    student: str
    counted: Counted
    outcome: Outcome
    difference: Difference | None = None


@dataclass(frozen=True)
class Comparison:
    """Methods beside a random subset of as many images.

    Attributes:
        conditions: what all runs share; contenders may differ in the student.
        labeler: printed form.
        contenders: the methods, best first for each student, then what they are seen beside.
    """

    conditions: Conditions
    labeler: str
    contenders: tuple[Contender, ...]

    @property
    def claims(self) -> int:
        """How many differences are told with intervals that hold together."""
        return sum(1 for one in self.contenders if one.difference and one.difference.simultaneous is not None)


def compare_outcomes(conditions: Conditions, labeler: str, contenders: Sequence[Contender]) -> Comparison:
    """Compares each with ``random`` under the same student, by seeds that both have.

    Args:
        conditions: what all runs share.
        labeler: printed form of the labels.
        contenders: in any order; one of role ``random`` for each student.
    """
    random = {one.student: one.outcome for one in contenders if one.role == "random"}
    paired = [replace(one, difference=_against(random.get(one.student), one)) for one in contenders]
    methods = [one for one in paired if one.role == "method" and one.difference is not None]
    judged = judge_family([one.difference for one in methods if one.difference is not None])
    claims = {id(one): difference for one, difference in zip(methods, judged, strict=True)}
    told = [replace(one, difference=claims.get(id(one), one.difference)) for one in paired]
    return Comparison(conditions, labeler, tuple(sorted(told, key=lambda one: _place(one, conditions))))


def _against(random: Outcome | None, contender: Contender) -> Difference | None:
    if random is None or contender.role == "random":
        return None
    ours, theirs = contender.outcome.values, random.values
    pairs = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return compare_pairs(pairs) if pairs else None


def _place(one: Contender, conditions: Conditions) -> tuple[str, int, bool, float]:
    spread = one.outcome.spread
    gain = conditions.metric.gain(spread.mean, 0.0) if spread else 0.0
    return one.student, ("method", "random", "noise", "full").index(one.role), spread is None, -gain
