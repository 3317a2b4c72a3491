"""Counts what a run cost: seconds, memory and images by stage from the books, bytes from what was made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TypeVar

from rethinkdc.compressed import CompressedSet, image_bytes
from rethinkdc.context.books import by_stage, images_by_stage, stage_of
from rethinkdc.context.run import RunContext
from rethinkdc.measurement import Evaluation
from rethinkdc.notes import Notes
from rethinkdc.runs.cost import Cost
from rethinkdc.types import LabelCost

Number = TypeVar("Number", int, float)

_MEASURED_IMAGES = 200_000
"""Compressed sets up to this many images have their bytes measured; encoding more would outlast the training."""
_LABELS, _TRAINING = "labels:run", "training:run"
"""What the run itself does, beside the artefacts that it uses."""
_OF_THE_TOOL = ("measuring",)
"""Stages that no method spends: how good a teacher is on the test images is told beside it, and changes nothing."""


def count_cost(
    context: RunContext,
    compressed: CompressedSet,
    labels: LabelCost,
    evaluation: Evaluation,
    *,
    label_seconds: float,
    label_images: int | None,
) -> Cost:
    """What a run cost.

    Args:
        context: the run's, with the books of every artefact that was used.
        compressed: the set that the student was trained on.
        labels: what its labels take.
        evaluation: of the student.
        label_seconds: of labelling, beside what artefacts of labels took.
        label_images: that networks were shown meanwhile, beside those of artefacts; None = not known.
    """
    # A finished set brings what its making took on its card: it was not free because it was made before.
    seconds = compressed.card.seconds | context.books.seconds | {_LABELS: label_seconds, _TRAINING: evaluation.seconds}
    images = compressed.card.images_seen | context.books.images
    asked = labels.asked_per_view if labels.teacher_at_training else 0
    if label_images is not None and asked is not None:
        images[_LABELS] = label_images + asked * evaluation.views
    images[_TRAINING] = evaluation.views
    seconds, images = _of_methods(seconds), _of_methods(images)
    # A set whose card says nothing of its making was not made here.
    whole = (
        seconds.keys() <= images.keys() and bool(compressed.card.seconds) and not _from_elsewhere(context.books.told)
    )
    return Cost(
        seconds=by_stage(seconds),
        memory=_peaks(context.books.memory),
        images_seen=images_by_stage(images, seconds),
        total_images_seen=sum(images.values()) if whole else None,
        image_bytes=_measure_images(compressed, context),
        label_bytes=labels.label_bytes,
        teacher_bytes=labels.teacher_bytes,
        teacher_at_training=labels.teacher_at_training,
    )


def _of_methods(spent: Mapping[str, Number]) -> dict[str, Number]:
    return {name: value for name, value in spent.items() if stage_of(name) not in _OF_THE_TOOL}


def _from_elsewhere(notes: Notes) -> bool:
    """Whether something was used whose making nobody here has seen."""
    return bool(notes.external_data or notes.files_read) or notes.proxy == "imported"


def _peaks(memory: Mapping[str, int]) -> dict[str, int]:
    """The largest peak in bytes among what each stage made, from ``stage:key`` -> bytes."""
    peaks: dict[str, int] = {}
    for name, used in memory.items():
        stage = stage_of(name)
        if used and stage not in _OF_THE_TOOL:
            peaks[stage] = max(peaks.get(stage, 0), used)
    return peaks


def _measure_images(compressed: CompressedSet, context: RunContext) -> dict[str, int | None]:
    if len(compressed) > _MEASURED_IMAGES:
        warnings.warn(f"The bytes of {len(compressed):,} images are not measured.", stacklevel=2)
        return dict.fromkeys(("stored", "lossy", "recipe"))
    store = context.protocol.store
    return dict(image_bytes(compressed, store.size, store.fit, store.interpolation))


__all__ = ["count_cost"]
