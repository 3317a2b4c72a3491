"""Asking teachers: which one a reference means, how good it is on the test images, and what the record says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from torch import nn

from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import TeacherSource
from rethinkdc.errors import RequestError
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol.teachers import teacher_top1
from rethinkdc.reference import Reference
from rethinkdc.storage import write_file
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images

_FILE = "top1.json"


def ask_teacher(
    context: Context, reference: Reference | str | None, purpose: str, *, test: Images | None, tuning: bool
) -> Teacher:
    """The teacher that a reference names, measured on the test images and noted.

    Args:
        context: of the work that asks.
        reference: which; None = the protocol's.
        purpose: what it is asked for, as the record says it.
        test: the run's test images; None = it is not measured.
        tuning: whether the test images are part of a training set that others may have seen whole.

    Raises:
        RequestError: it cannot be had, or may have seen the split that is tuned on.
    """
    source = teacher_source(context, reference)
    if tuning and not source.trained_here:
        raise RequestError(
            f"--tune trains and tests on a split of the training set, and the teacher {source.name} may have seen "
            "both parts. Use one that is trained on the first: teachers=[trained]."
        )
    provided = source.provide(context)
    teacher = replace(provided, top1=None if test is None else _measured(context, provided, test))
    about = {"top1": teacher.top1, "digest": teacher.digest, "bytes": teacher.bytes, "for": [purpose]}
    if teacher.told:
        about["weights"] = list(teacher.told)
    external = {"external_data": [teacher.external]} if teacher.external else {}
    context.note(teachers={teacher.id: about}, **external)
    return teacher


def untrained_network(context: Context, reference: Reference | str | None) -> nn.Module | None:
    """The network that a teacher will be, before a training that may take long; None = it needs none."""
    architecture = teacher_source(context, reference).architecture(context.protocol)
    if architecture is None:
        return None
    model = context.method(Model, architecture)
    return build_seeded(model, len(context.data.class_names), context.protocol.store.size, 0)


def teacher_source(context: Context, reference: Reference | str | None) -> TeacherSource:
    """What gives a teacher.

    Raises:
        RequestError: neither the reference nor the protocol names one.
    """
    usual = context.protocol.teacher.use if context.protocol.teacher else None
    chosen = usual if reference is None else reference
    if chosen is None:
        raise RequestError(
            f"The protocol {context.protocol.id} has no [teacher]. Name one: timm/NAME, torchvision/NAME or "
            "checkpoint:path=FILE."
        )
    return context.method(TeacherSource, chosen)


def _measured(context: Context, teacher: Teacher, test: Images) -> float:
    """Top-1 as a fraction, measured once for each teacher and test set."""
    key = {"teacher": teacher.digest, "test": test.fingerprint, "view": teacher.test.model_dump(mode="json")}

    def build(inner: Context, out: Path) -> None:
        top1 = teacher_top1(teacher, test, workers=inner.workers, passing=inner.chunks)
        write_file(out / _FILE, json.dumps(top1).encode())

    return float(
        json.loads((context.artefact("teacher-tests", key, "measuring", build, files=[_FILE]) / _FILE).read_text())
    )
