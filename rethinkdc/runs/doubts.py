"""Results that cannot be right: at chance, a loss that never fell, a class never predicted; and the likeliest cause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean

from torch import Tensor

from rethinkdc.measurement import Evaluation
from rethinkdc.types import Images, Track

CONTROLS = "controls"
"""The family of compressors that are meant to be at chance."""
_ERRORS = 2
"""Standard errors of a proportion within which an accuracy is not told from chance."""
_FALL = 0.99
"""A loss that ends above this share of what it began with has not fallen."""
_FEW_STEPS = 100
_FEW_TESTED = 200
_TELLING = 3
"""Test images of a class from which on it is worth a word that it was never predicted."""
_SHOWN = 5


def doubts_of(evaluation: Evaluation, test: Images, *, track: Track, family: str, labels: str = "") -> list[str]:
    """What makes a result doubtful, a sentence each with the likeliest cause; empty where nothing does.

    Args:
        evaluation: what was measured.
        test: what it was tested on.
        track: the labeler's.
        family: the compressor's; controls may be at chance.
        labels: what makes the labels doubtful (:func:`~rethinkdc.runs.own_views.doubt_of_labels`), or nothing.
    """
    counts = test.targets.bincount(minlength=len(test.class_names))
    stalled = _never_fell([point["train_loss"] for point in evaluation.curve if "train_loss" in point])
    doubts = [labels] if labels and family != CONTROLS else []
    if stalled:
        doubts.append(f"{stalled} Likeliest cause: {_why_stalled(track, labels)}.")
    if family == CONTROLS:
        return doubts
    if chance := _at_chance(evaluation.metrics.get("top1"), counts):
        # Above chance, but by less than so few images can show.
        above = evaluation.metrics["top1"] > float(counts.max() / counts.sum())
        few = (
            f"too few test images ({int(counts.sum()):,}) to tell" if above and int(counts.sum()) < _FEW_TESTED else ""
        )
        why = few or _why_chance(evaluation, labels, bool(stalled))
        doubts.append(f"{chance} Likeliest cause: {why}.")
    elif unseen := _never_predicted(evaluation.predicted, counts, test.class_names):
        doubts.append(
            f"{unseen} Likeliest cause: {_few(evaluation) or 'images of these classes that do not show what they are'} "
            "(look at the set with --preview)."
        )
    return doubts


def _at_chance(top1: float | None, counts: Tensor) -> str:
    """Says that an accuracy is not above that of naming the largest class, within its own error."""
    total = int(counts.sum())
    if top1 is None or len(counts) < 2 or not total:
        return ""
    chance = float(counts.max()) / total
    error = _ERRORS * math.sqrt(chance * (1 - chance) / total)
    if top1 > chance + error:
        return ""
    return (
        f"top-1 {top1:.2%} cannot be told from chance: naming the largest class gives {chance:.2%} of {total:,} test "
        f"images, ± {error:.2%}."
    )


def _never_fell(losses: Sequence[float]) -> str:
    """Says that the training loss ends where it began; one or two epochs tell nothing."""
    tail = max(1, len(losses) // 10)
    if len(losses) < 3 or mean(losses[-tail:]) < _FALL * losses[0]:
        return ""
    return f"The training loss never fell: {losses[0]:.4g} in the first epoch, {mean(losses[-tail:]):.4g} in the last."


def _never_predicted(predicted: Sequence[int], counts: Tensor, names: Sequence[str]) -> str:
    """Names the classes that have several test images and were predicted for none."""
    never = [names[index] for index, times in enumerate(predicted) if not times and int(counts[index]) >= _TELLING]
    if not never:
        return ""
    shown = ", ".join(map(repr, never[:_SHOWN])) + (f" and {len(never) - _SHOWN} more" if len(never) > _SHOWN else "")
    return f"{len(never)} of {len(names)} classes were never predicted: {shown}."


def _why_stalled(track: Track, labels: str) -> str:
    if labels:
        return "labels that do not name the classes"
    rate = "a learning rate that does not fit"
    return rate if track == "hard" else f"labels that say nothing of the images, or {rate}"


def _why_chance(evaluation: Evaluation, labels: str, stalled: bool) -> str:
    if labels:
        return "labels that do not name the classes"
    if stalled:
        return "the student learned nothing, see its loss"
    return _few(evaluation) or (
        "the student learned the set but not the classes: classes in another order than the test images', another "
        "normalisation, or images without their content"
    )


def _few(evaluation: Evaluation) -> str:
    return f"a training of only {evaluation.steps} steps" if evaluation.steps < _FEW_STEPS else ""
