"""What a protocol says of teachers, and what a teacher is worth on the test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rethinkdc.data.chunks import at_once, joined
from rethinkdc.method import Method
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.predict import BATCH, predict_batches
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images, Passing

TEACHER_SEMANTICS = 1
"""Raised whenever a teacher of the same recipe would have other weights."""


def teachers_definition(
    protocol: Protocol, build: Callable[[str, Reference], Method], define: Callable[[Method], dict[str, Any]]
) -> dict[str, Any]:
    """All that the protocol's teachers depend on, as JSON data: for the keys of what asks one.

    Args:
        protocol: its store, test view, teacher and recipes count.
        build: makes a method from a kind and a reference (the registry's).
        define: JSON definition of a method (the registry's): a file counts by its content, a model with its revision.
    """
    known = protocol.teacher
    recipes = known.recipes if known else {}
    return {
        "semantics": TEACHER_SEMANTICS,
        "protocol": protocol.teacher_digest,
        "use": define(build("teacher", known.use)) if known else None,
        "models": {key: define(build("model", recipe.model)) for key, recipe in recipes.items()},
    }


def teacher_top1(teacher: Teacher, images: Images, *, workers: int = 0, passing: Passing = at_once) -> float:
    """The teacher's top-1 on ``images`` under its own test view, as a fraction; ``passing`` keeps what is done."""

    def hits(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        for rows, logits, _ in predict_batches(
            teacher.module,
            images,
            teacher.test,
            mean=teacher.mean,
            std=teacher.std,
            device=teacher.device,
            workers=workers,
            batches=[torch.arange(span.start, span.stop) for span in spans],
        ):
            yield {"hits": (logits.argmax(dim=1) == images.targets[rows]).sum().view(1)}

    return int(joined(passing("teacher-test", len(images), BATCH, hits, unit="test images"), "hits").sum()) / len(
        images
    )
