"""Counts what a run cost: seconds and memory by stage from the books, bytes from what was made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from rethinkdc.compressed import CompressedSet, image_bytes
from rethinkdc.context.books import by_stage
from rethinkdc.context.run import RunContext
from rethinkdc.runs.cost import Cost
from rethinkdc.types import LabelCost

_MEASURED_IMAGES = 200_000
"""Compressed sets up to this many images have their bytes measured; encoding more would outlast the training."""
_OF_THE_TOOL = ("measuring",)
"""Stages that no method spends: how good a teacher is on the test images is told beside it, and changes nothing."""


def count_cost(
    context: RunContext, compressed: CompressedSet, labels: LabelCost, *, label_seconds: float, training_seconds: float
) -> Cost:
    """What a run cost.

    Args:
        context: the run's, with the seconds and the memory of every artefact that was used.
        compressed: the set that the student was trained on.
        labels: what its labels take.
        label_seconds: of labelling, beside what artefacts of labels took.
        training_seconds: of training and testing the student.
    """
    # A finished set brings what its making took on its card: it was not free because it was made before.
    seconds = by_stage({**compressed.card.seconds, **context.books.seconds})
    seconds["labels"] = seconds.get("labels", 0.0) + label_seconds
    seconds["training"] = seconds.get("training", 0.0) + training_seconds
    return Cost(
        seconds={stage: value for stage, value in seconds.items() if stage not in _OF_THE_TOOL},
        memory=_peaks(context.books.memory),
        image_bytes=_measure_images(compressed, context),
        label_bytes=labels.label_bytes,
        teacher_bytes=labels.teacher_bytes,
        teacher_at_training=labels.teacher_at_training,
    )


def _peaks(memory: Mapping[str, int]) -> dict[str, int]:
    """The largest peak in bytes among what each stage made, from ``stage:key`` -> bytes."""
    peaks: dict[str, int] = {}
    for name, used in memory.items():
        stage = name.partition(":")[0]
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
