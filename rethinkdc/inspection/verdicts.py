"""The likeliest cause in words, with the numbers that speak for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from rethinkdc.inspection.class_order import FittedOrder
from rethinkdc.inspection.weighing import SURE, Weighed, chance_better, chance_of_as_many, tell_share

Verdict = Literal["right", "order", "pixels", "order and pixels", "unclear"]
ALIKE = 0.05
"""Probability above which two causes are not told apart."""
_HINT = 0.05
"""Probability of chance below which a fault is told of, as nothing sure."""
_SHOWN = 10


def judge(
    base: Weighed,
    best: Weighed | None,
    tried: Sequence[Weighed],
    targets: Tensor,
    names: Sequence[str],
    top1: float | None,
) -> tuple[Verdict, str]:
    """The verdict, and what it is made of, in words and numbers.

    Args:
        base: the images as they are read.
        best: what is surely better; None = nothing.
        tried: all else, the likeliest first.
        targets: int64 [M], the classes as they are assumed.
        names: of the dataset's classes.
        top1: the teacher's on test images, as a fraction.
    """
    chosen = best or base
    sentences = []
    if best:
        doubt = _tell_alike(best, [each for each in tried if each is not best and each.seen.exact == best.seen.exact])
        proof = "every value then is a whole byte, and " if best.seen.exact else ""
        sentences.append(
            f"Likeliest: {best.seen.name} ({best.seen.remedy}): {proof}the teacher finds {tell_share(best.correct)} "
            f"right, and {tell_share(base.correct)} as they are (p = {best.evidence.chance:.2g}, {len(tried)} tried)."
            + doubt
        )
    if chosen.reordered:
        judged = chosen.order.judged
        sentences.append(
            f"Likeliest: the classes are in another order: {_list_moved(chosen.order, targets, names)}. Fitted to one "
            f"half of the images of each class, it is right for {tell_share(chosen.order.found[judged])} of the other "
            f"half; the order as assumed for {tell_share(chosen.order.declared[judged])} "
            f"(p = {chosen.chance_of_order:.2g})."
        )
    if best or chosen.reordered:
        kind: Verdict = "order and pixels" if best and chosen.reordered else "pixels" if best else "order"
        return kind, " ".join(sentences)
    return _judge_unchanged(base, tried, targets, names, top1)


def _judge_unchanged(
    base: Weighed, tried: Sequence[Weighed], targets: Tensor, names: Sequence[str], top1: float | None
) -> tuple[Verdict, str]:
    guessed = 1 / len(names)
    known = f"the teacher finds {tell_share(base.correct)} right as they are (chance {guessed:.1%})"
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
    if chance_of_as_many(found, count, guessed) >= SURE:
        return "unclear", f"Nothing that was tried explains the set: {known}.{lone}"
    below = 1.0 if top1 is None else chance_of_as_many(count - found, count, 1 - top1)
    if below < SURE:
        told = (
            "Images that were learned, tiled or shrunk may show less of their class; nothing that was tried fits better"
        )
        return "unclear", f"Better than chance and worse than test images (p = {below:.2g}): {known}. {told}.{lone}"
    return "right", f"The set looks right: {known}.{_tell_alike(base, tried)}{lone}"


def _tell_alike(chosen: Weighed, others: Sequence[Weighed]) -> str:
    """What these images do not tell from what is taken to be so."""
    alike = [each.seen.name for each in others if chance_better(chosen.correct, each.correct) > ALIKE]
    return f" It cannot be told from: {'; '.join(alike)}." if alike else ""


def _list_moved(order: FittedOrder, targets: Tensor, names: Sequence[str]) -> str:
    present = sorted(set(targets.tolist()))
    moved = [
        f"{names[index]!r} is {names[int(order.places[index])]!r}" for index in present if order.places[index] != index
    ]
    return ", ".join(moved[:_SHOWN]) + (f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else "")
