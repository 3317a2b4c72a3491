"""A finished set that a user hands over as a value or by its place."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from rethinkdc.choices import Backing
from rethinkdc.compressed import CompressedSet, FileFacts, read_set, set_name, set_of_tensors
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import FinishedSet, SetFacts


def open_set(finished: FinishedSet, cache_folder: Path | None, backing: Backing = "auto") -> CompressedSet:
    """Returns the set that is meant.

    Args:
        finished: what a user hands over.
        cache_folder: where decoded images are kept.
        backing: how images that lie as files are held.

    Raises:
        RequestError: it cannot be read.
    """
    images, facts = finished.images, facts_of(finished)
    if isinstance(images, CompressedSet):
        return images
    if isinstance(images, Tensor):
        return _set_of_tensors(images, finished, facts)
    return read_set(images, facts, cache_folder, backing)


def name_of(finished: FinishedSet) -> str:
    """What tables call a set."""
    images = finished.images
    if isinstance(images, CompressedSet):
        return finished.name or images.card.method or "tensors"
    return finished.name or ("tensors" if isinstance(images, Tensor) else set_name(images))


def facts_of(call: SetFacts) -> FileFacts:
    """What a user says of a finished set."""
    return FileFacts(
        labels=None if call.labels is None else Path(call.labels),
        mean=None if call.mean is None else tuple(call.mean),
        std=None if call.std is None else tuple(call.std),
        soft_labels=call.soft_labels,
        experiment=call.experiment,
        student_lr=Path(call.student_lr) if isinstance(call.student_lr, str) else call.student_lr,
    )


def _set_of_tensors(images: Tensor, finished: FinishedSet, facts: FileFacts) -> CompressedSet:
    if isinstance(facts.student_lr, Path):
        raise RequestError(f"student_lr of tensors is a number; found the file {facts.student_lr}.")
    return set_of_tensors(
        images,
        finished.targets,
        mean=facts.mean,
        std=facts.std,
        weights=finished.weights,
        soft_targets=finished.soft_targets,
        student_lr=facts.student_lr,
    )
