"""Which fault of a finished set a teacher's predictions show: class order, normalisation, channels, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from rethinkdc.inspection.class_order import FittedOrder, fit_order

_SURE = 0.01
"""Probability of chance below which a fault is named; shared among all that is tried."""
_HINT = 0.05
"""And below which it is told of, as nothing sure."""
_ALIKE = 0.05
"""Probability above which two causes are not told apart."""
_SHOWN = 10
_INTERVAL = 0.95


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


class Triage(BaseModel):
    """What a teacher says of a finished set.

    Attributes:
        teacher: who was asked.
        teacher_top1: its top-1 on the dataset's test images, as a fraction.
        images: how many of the set, or cells of its canvases, it was shown.
        judged: of how many of them another half of the set tells the class order.
        stated: as the set is read, classes as they are assumed.
        declared_order: top-1 on the judged images in the assumed order; None where none is judged.
        fitted_order: the same in the order that is fitted to the other half.
        order_chance: probability that the fitted order is as much better by chance.
        moved: classes that the order fitted to all images moves: ``class 3 is '5'``.
        places: the dataset's class of each of the set's, as fitted to all images; meant only where ``verdict`` says so.
        tried: what else was tried, the likeliest first.
        verdict: the likeliest cause.
        told: the same in a sentence or two, with the numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    teacher: str
    teacher_top1: float | None
    images: int
    judged: int
    stated: Evidence
    declared_order: float | None
    fitted_order: float | None
    order_chance: float | None
    moved: tuple[str, ...]
    places: tuple[int, ...]
    tried: tuple[Evidence, ...]
    verdict: Literal["right", "order", "pixels", "order and pixels", "unclear"]
    told: str


class Seen(NamedTuple):
    """What a teacher says of the images of a hypothesis: logits float32 [M, C]; ``exact``: every value is a byte."""

    name: str
    remedy: str
    logits: Tensor
    exact: bool = False


class _Weighed(NamedTuple):
    seen: Seen
    order: FittedOrder
    chance_of_order: float | None
    correct: Tensor
    evidence: Evidence

    @property
    def reordered(self) -> bool:
        return self.chance_of_order is not None and self.chance_of_order < _SURE


def weigh(
    teacher: str, top1: float | None, stated: Seen, others: Sequence[Seen], targets: Tensor, names: Sequence[str]
) -> Triage:
    """Names the likeliest cause.

    Args:
        teacher: who was asked.
        top1: its top-1 on test images.
        stated: of the images as they are read.
        others: of what else may be so.
        targets: int64 [M], the classes as they are assumed.
        names: of the dataset's classes.
    """
    base = _weigh(stated, targets, None)
    tried = [_weigh(each, targets, base.correct) for each in others]
    tried.sort(key=lambda each: (-each.evidence.top1, each.evidence.loss))
    best = _choose(base, tried)
    chosen = best or base
    order = chosen.order
    verdict, told = _judge(base, best, tried, targets, names, top1)
    judged = order.judged
    moved = [
        f"class {index} is {names[place]!r}" for index, place in enumerate(order.places.tolist()) if index != place
    ]
    present = set(targets.tolist())
    moved = [
        f"class {index} is {names[place]!r}"
        for index, place in enumerate(order.places.tolist())
        if index != place and index in present
    ]
    return Triage(
        teacher=teacher,
        teacher_top1=top1,
        images=len(targets),
        judged=int(judged.sum()),
        stated=base.evidence,
        declared_order=_mean(order.declared[judged]),
        fitted_order=_mean(order.found[judged]),
        order_chance=chosen.chance_of_order,
        moved=tuple(moved),
        places=tuple(order.places.tolist()),
        tried=tuple(each.evidence for each in tried),
        verdict=verdict,
        told=told,
    )


def _choose(base: _Weighed, tried: Sequence[_Weighed]) -> _Weighed | None:
    """What is surely better than the images as they are; of what a teacher cannot tell apart, what gives whole bytes.

    Whole bytes prove a normalisation by themselves, unless the teacher is surely worse under it.
    """
    sure = [each for each in tried if (each.evidence.chance or 0.0) * len(tried) < _SURE]
    exact = [each for each in tried if each.seen.exact and not base.seen.exact]
    proved = [each for each in exact if _better(base.correct, each.correct) > _ALIKE]
    if not sure:
        return proved[0] if proved else None
    return next((each for each in proved if _better(sure[0].correct, each.correct) > _ALIKE), sure[0])


def _weigh(seen: Seen, targets: Tensor, correct_as_stated: Tensor | None) -> _Weighed:
    probabilities = seen.logits.double().softmax(dim=1)
    order = fit_order(probabilities, targets)
    chance = _better(order.found, order.declared) if bool(order.judged.any()) else None
    reordered = chance is not None and chance < _SURE
    correct = order.found if reordered else order.declared
    classes = order.places[targets] if reordered else targets
    low, high = _interval(correct)
    evidence = Evidence(
        name=seen.name,
        remedy=seen.remedy,
        top1=float(correct.double().mean()),
        low=low,
        high=high,
        loss=float(F.cross_entropy(seen.logits.double(), classes)),
        exact=seen.exact,
        chance=None if correct_as_stated is None else _better(correct, correct_as_stated),
    )
    return _Weighed(seen, order, chance, correct, evidence)


def _judge(
    base: _Weighed,
    best: _Weighed | None,
    tried: Sequence[_Weighed],
    targets: Tensor,
    names: Sequence[str],
    top1: float | None,
) -> tuple[Literal["right", "order", "pixels", "order and pixels", "unclear"], str]:
    chosen = best or base
    sentences = []
    if best:
        alike = [
            each.seen.name
            for each in tried
            if each is not best and each.seen.exact == best.seen.exact and _better(best.correct, each.correct) > _ALIKE
        ]
        doubt = f" It cannot be told from: {'; '.join(alike)}." if alike else ""
        proof = "every value then is a whole byte, and " if best.seen.exact else ""
        sentences.append(
            f"Likeliest: {best.seen.name} ({best.seen.remedy}): {proof}the teacher finds {_share(best.correct)} right, "
            f"and {_share(base.correct)} as they are (p = {best.evidence.chance:.2g}, {len(tried)} tried).{doubt}"
        )
    if chosen.reordered:
        judged = chosen.order.judged
        sentences.append(
            f"Likeliest: the classes are in another order: {_list_moved(chosen.order, targets, names)}. Fitted to one "
            f"half of the images of each class, it is right for {_share(chosen.order.found[judged])} of the other "
            f"half; the order as assumed for {_share(chosen.order.declared[judged])} "
            f"(p = {chosen.chance_of_order:.2g})."
        )
    if best or chosen.reordered:
        kind = "order and pixels" if best and chosen.reordered else "pixels" if best else "order"
        return kind, " ".join(sentences)  # type: ignore[return-value]  # one of the three
    return _judge_unchanged(base, tried, targets, names, top1)


def _judge_unchanged(
    base: _Weighed, tried: Sequence[_Weighed], targets: Tensor, names: Sequence[str], top1: float | None
) -> tuple[Literal["right", "unclear"], str]:
    guessed = 1 / len(names)
    known = f"the teacher finds {_share(base.correct)} right as they are (chance {guessed:.1%})"
    if top1 is not None:
        known += f"; on test images it finds {top1:.1%}"
    hints = []
    if base.chance_of_order is not None and base.chance_of_order < _HINT:
        moved = _list_moved(base.order, targets, names)
        hints.append(f"an order in which {moved} would be better (p = {base.chance_of_order:.2g})")
    if tried and (tried[0].evidence.chance or 0.0) < _HINT:
        top = tried[0]
        hints.append(f"{top.seen.name} would be better (p = {top.evidence.chance:.2g}, {len(tried)} tried)")
    lone = (
        ""
        if bool(base.order.judged.any())
        else (" One image of a class cannot tell the class order by a fit: some order always fits.")
    )
    if hints:
        return "unclear", f"Nothing is sure: {known}; {'; '.join(hints)}.{lone}"
    found, count = int(base.correct.sum()), len(targets)
    if _at_least(found, count, guessed) >= _SURE:
        return "unclear", f"Nothing that was tried explains the set: {known}.{lone}"
    below = 1.0 if top1 is None else _at_least(count - found, count, 1 - top1)
    if below < _SURE:
        told = (
            "Images that were learned, tiled or shrunk may show less of their class; nothing that was tried fits better"
        )
        return "unclear", f"Better than chance and worse than test images (p = {below:.2g}): {known}. {told}.{lone}"
    return "right", f"The set looks right: {known}.{lone}"


def _list_moved(order: FittedOrder, targets: Tensor, names: Sequence[str]) -> str:
    present = sorted(set(targets.tolist()))
    moved = [
        f"{names[index]!r} is {names[int(order.places[index])]!r}" for index in present if order.places[index] != index
    ]
    return ", ".join(moved[:_SHOWN]) + (f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else "")


def _better(correct: Tensor, other: Tensor) -> float:
    """Probability that the first is right so much more often than the second by chance: exact McNemar, one-sided."""
    gained, lost = int((correct & ~other).sum()), int((other & ~correct).sum())
    return _at_least(gained, gained + lost, 0.5) if gained + lost else 1.0


def _at_least(found: int, count: int, share: float) -> float:
    from scipy.stats import binomtest

    return float(binomtest(found, count, share, alternative="greater").pvalue)


def _interval(correct: Tensor) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(_INTERVAL, method="wilson")
    return float(interval.low), float(interval.high)


def _share(correct: Tensor) -> str:
    low, high = _interval(correct)
    return f"{int(correct.sum())} of {len(correct)} images ({low:.0%} to {high:.0%})"


def _mean(values: Tensor) -> float | None:
    return float(values.double().mean()) if len(values) else None
