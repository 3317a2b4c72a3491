"""How well a teacher knows the images of a finished set if something is so, and what of it may be chance."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from rethinkdc.inspection.class_order import FittedOrder, fit_order
from rethinkdc.statistics import bound_share

SURE = 0.01
"""Probability of chance below which a fault is named; shared among all that is tried."""


class Evidence(BaseModel):
    """How well a teacher knows the images if something is so.

    Attributes:
        name: what would be so.
        remedy: what to do about it.
        top1: fraction of the images that the teacher finds right.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        loss: mean cross-entropy.
        exact: whether every value then is a whole byte.
        chance: probability that a difference as large to the images as they are comes by chance (exact McNemar).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    remedy: str = ""
    top1: float
    low: float
    high: float
    loss: float
    exact: bool = False
    chance: float | None = None


class Seen(NamedTuple):
    """What a teacher says of the images of a hypothesis: logits float32 [M, C]; ``exact``: every value is a byte."""

    name: str
    remedy: str
    logits: Tensor
    exact: bool = False


class Weighed(NamedTuple):
    """What was said of a hypothesis, weighed.

    Attributes:
        seen: what was said.
        order: the order of classes that fits it.
        chance_of_order: probability that this order is as much better than the assumed one by chance; None where no
            image is judged.
        correct: bool [M], images that the teacher finds right, in the fitted order where that is surely better.
        evidence: the same in numbers.
    """

    seen: Seen
    order: FittedOrder
    chance_of_order: float | None
    correct: Tensor
    evidence: Evidence

    @property
    def reordered(self) -> bool:
        """Whether the classes surely stand in another order."""
        return self.chance_of_order is not None and self.chance_of_order < SURE


def weigh_seen(seen: Seen, targets: Tensor, correct_as_stated: Tensor | None) -> Weighed:
    """Fits the order of classes and weighs it; ``correct_as_stated`` = ``correct`` of the images as they are read."""
    probabilities = seen.logits.double().softmax(dim=1)
    order = fit_order(probabilities, targets)
    chance = chance_better(order.found, order.declared) if bool(order.judged.any()) else None
    reordered = chance is not None and chance < SURE
    correct = order.found if reordered else order.declared
    classes = order.places[targets] if reordered else targets
    low, high = interval_of(correct)
    evidence = Evidence(
        name=seen.name,
        remedy=seen.remedy,
        top1=float(correct.double().mean()),
        low=low,
        high=high,
        loss=float(F.cross_entropy(seen.logits.double(), classes)),
        exact=seen.exact,
        chance=None if correct_as_stated is None else chance_better(correct, correct_as_stated),
    )
    return Weighed(seen, order, chance, correct, evidence)


def chance_better(correct: Tensor, other: Tensor) -> float:
    """Probability that the first is right so much more often than the second by chance: exact McNemar, one-sided."""
    gained, lost = int((correct & ~other).sum()), int((other & ~correct).sum())
    return chance_of_as_many(gained, gained + lost, 0.5) if gained + lost else 1.0


def chance_of_as_many(found: int, count: int, share: float) -> float:
    """Probability of at least ``found`` of ``count`` at a share that is expected: exact binomial."""
    from scipy.stats import binomtest

    return float(binomtest(found, count, share, alternative="greater").pvalue)


def interval_of(correct: Tensor) -> tuple[float, float]:
    """95 % interval of the share of bool [M], as fractions (Wilson)."""
    return bound_share(int(correct.sum()), len(correct))


def tell_share(correct: Tensor) -> str:
    """``98 of 100 images (93% to 99%)``."""
    low, high = interval_of(correct)
    return f"{int(correct.sum())} of {len(correct)} images ({low:.0%} to {high:.0%})"
