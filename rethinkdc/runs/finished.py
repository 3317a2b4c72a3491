"""Finished sets, made here or elsewhere: from what a user hands over to a record."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from rethinkdc.compressed import CompressedSet, FileFacts, images_per_class, read_set, set_name, set_of_tensors
from rethinkdc.compressed.preview import write_preview
from rethinkdc.errors import RequestError
from rethinkdc.runs.calls import EvaluateCall
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.options import part_of
from rethinkdc.runs.records import Record
from rethinkdc.runs.request import Request


def evaluate_set(call: EvaluateCall) -> tuple[Record, bool]:
    """Labels a finished set, trains and tests a student on it; returns the record, and whether it existed before.

    Raises:
        RequestError: the set cannot be read, or does not fit the protocol.
    """
    runner = make_runner(call, call.records)
    compressed, name = open_set(call, runner.cache.home)
    if call.preview:
        write_preview(compressed, call.preview)
    protocol = call.protocol or compressed.card.protocol or None
    # Nothing compresses: the set has the compressor's place.
    request = part_of(call, Request, compressor="", protocol=protocol)
    return runner.evaluate(compressed, request, name=name, ipc=_ipc_of(compressed), force=call.force)


def open_set(call: EvaluateCall, cache_folder: Path | None) -> tuple[CompressedSet, str]:
    """Returns the set that is meant, and what tables call it.

    Raises:
        RequestError: it cannot be read.
    """
    facts = FileFacts(
        labels=None if call.labels is None else Path(call.labels),
        mean=None if call.mean is None else tuple(call.mean),
        std=None if call.std is None else tuple(call.std),
        soft_labels=call.soft_labels,
        experiment=call.experiment,
        student_lr=Path(call.student_lr) if isinstance(call.student_lr, str) else call.student_lr,
    )
    images = call.images
    if isinstance(images, CompressedSet):
        return images, call.name or images.card.method or "tensors"
    if isinstance(images, Tensor):
        return _set_of_tensors(images, call, facts), call.name or "tensors"
    return read_set(images, facts, cache_folder), call.name or set_name(images)


def _set_of_tensors(images: Tensor, call: EvaluateCall, facts: FileFacts) -> CompressedSet:
    if isinstance(facts.student_lr, Path):
        raise RequestError(f"student_lr of tensors is a number; found the file {facts.student_lr}.")
    return set_of_tensors(
        images,
        call.targets,
        mean=facts.mean,
        std=facts.std,
        weights=call.weights,
        soft_targets=call.soft_targets,
        student_lr=facts.student_lr,
    )


def _ipc_of(compressed: CompressedSet) -> int | None:
    """Images per class: the card's, or the mean over the classes that occur."""
    return compressed.card.ipc if compressed.card.method else images_per_class(compressed.targets)
