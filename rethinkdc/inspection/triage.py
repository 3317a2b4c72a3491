"""Which fault of a finished set a teacher's predictions show: class order, normalisation, channels, or none."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from rethinkdc.inspection.verdicts import ALIKE, Verdict, judge
from rethinkdc.inspection.weighing import SURE, Evidence, Seen, Weighed, chance_better, weigh_seen


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
    verdict: Verdict
    told: str


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
    base = weigh_seen(stated, targets, None)
    tried = [weigh_seen(each, targets, base.correct) for each in others]
    tried.sort(key=lambda each: (-each.evidence.top1, each.evidence.loss))
    best = _choose(base, tried)
    chosen = best or base
    order = chosen.order
    verdict, told = judge(base, best, tried, targets, names, top1)
    judged = order.judged
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


def _choose(base: Weighed, tried: Sequence[Weighed]) -> Weighed | None:
    """What is surely better than the images as they are; of what a teacher cannot tell apart, what gives whole bytes.

    Whole bytes prove a normalisation by themselves, unless the teacher is surely worse under it.
    """
    sure = [each for each in tried if (each.evidence.chance or 0.0) * len(tried) < SURE]
    exact = [each for each in tried if each.seen.exact and not base.seen.exact]
    proved = [each for each in exact if chance_better(base.correct, each.correct) > ALIKE]
    if not sure:
        return proved[0] if proved else None
    return next((each for each in proved if chance_better(sure[0].correct, each.correct) > ALIKE), sure[0])


def _mean(values: Tensor) -> float | None:
    return float(values.double().mean()) if len(values) else None
