"""Teachers trained here, from a protocol's recipe, and what a teacher is worth on the test images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from rethinkdc.errors import RequestError, nearest
from rethinkdc.method import Method, Reference
from rethinkdc.metrics import weights_digest
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol import Protocol, TeacherRecipe
from rethinkdc.proxy import observed_view, training_store
from rethinkdc.storage import digest
from rethinkdc.training.loop import FitSeeds, fit
from rethinkdc.training.predict import predict_batches
from rethinkdc.training.targets import HardTargets
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images, Progress, Seeds, ViewRule
from rethinkdc.views import Views

TEACHER_SEMANTICS = 1
"""Raised whenever a teacher of the same recipe would have other weights."""
_WEIGHTS = "model.safetensors"


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
    return {
        "semantics": TEACHER_SEMANTICS,
        "protocol": protocol.teacher_digest,
        "use": define(build("teacher", known.use)) if known else None,
        "models": {name: define(build("model", recipe.model)) for name, recipe in known.recipes.items()}
        if known
        else {},
    }


def teacher_recipe(protocol: Protocol, name: str) -> TeacherRecipe:
    """A recipe of the protocol by name.

    Raises:
        RequestError: it has none of that name.
    """
    known = protocol.teacher.recipes if protocol.teacher else {}
    if name not in known:
        raise RequestError(
            f"The protocol {protocol.id} has no teacher recipe {name!r}. {nearest(name, known)} "
            f"`rethinkdc show {protocol.id}` prints them; timm/NAME, torchvision/NAME and checkpoint:path=FILE are "
            "teachers too."
        )
    return known[name]


def train_teacher(
    data: Images,
    protocol: Protocol,
    recipe: TeacherRecipe,
    model: Model,
    seeds: Seeds,
    *,
    device: torch.device,
    workers: int,
    progress: Progress,
    work: Path,
    out: Path,
) -> float:
    """Trains a teacher on the whole training set under hard labels and writes its weights to ``out``.

    Args:
        data: the training set.
        protocol: its store is followed.
        recipe: model, normalisation and training.
        model: the recipe's architecture.
        seeds: the ``teacher`` axis is used.
        device: where to train.
        workers: threads that render views ahead.
        progress: where to report to.
        work: survives a kill; training resumes from it.
        out: folder of the artefact.

    Returns:
        Seconds of training, those before a kill included.
    """
    training, size = recipe.training, protocol.store.size
    network = build_seeded(model, len(data.class_names), size, seeds.of("teacher", "init"))
    fitted = fit(
        network,
        training_store(data, protocol, recipe.source),
        data.targets,
        Views(training.views, training.mix, size=size, rule=ViewRule(), cell_boxes=None),
        HardTargets(),
        training,
        training.length(len(data)),
        mean=recipe.mean,
        std=recipe.std,
        seeds=FitSeeds(*(seeds.of("teacher", name) for name in ("order", "views", "noise"))),
        device=device,
        workers=workers,
        folder=work,
        progress=progress,
        description="teacher",
    )
    save_file({key: value.contiguous().cpu() for key, value in network.state_dict().items()}, out / _WEIGHTS)
    return fitted.seconds


def read_teacher(
    folder: Path,
    name: str,
    data: Images,
    protocol: Protocol,
    recipe: TeacherRecipe,
    model: Model,
    definition: dict[str, Any],
    device: torch.device,
) -> Teacher:
    """The teacher that :func:`train_teacher` left in ``folder``.

    Args:
        folder: of the artefact.
        name: what records call it.
        data: the training set.
        protocol: its store and test view count.
        recipe: model and normalisation.
        model: the recipe's architecture.
        definition: JSON definition of ``model``.
        device: where it is to run.
    """
    size = protocol.store.size
    network = build_seeded(model, len(data.class_names), size, 0)
    network.load_state_dict(load_file(folder / _WEIGHTS))
    return Teacher(
        id=name,
        module=network,
        mean=recipe.mean,
        std=recipe.std,
        size=size,
        test=observed_view(protocol, recipe.source),
        digest=digest([definition, weights_digest(network), recipe.mean, recipe.std, size]),
        device=device,
    )


def teacher_top1(teacher: Teacher, images: Images, *, workers: int = 0) -> float:
    """The teacher's top-1 on ``images`` under its own test view, as a fraction."""
    hits = 0
    for rows, logits, _ in predict_batches(
        teacher.module, images, teacher.test, mean=teacher.mean, std=teacher.std, device=teacher.device, workers=workers
    ):
        hits += int((logits.argmax(dim=1) == images.targets[rows]).sum())
    return hits / len(images)
