"""Networks that a method trains for itself, or a teacher is: keyed, seeded, resumed, timed, shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rethinkdc.context.whitenings import whitening_key
from rethinkdc.contracts.context import Context
from rethinkdc.models.model import Model
from rethinkdc.protocol.full_training import WEIGHTS, Place, TrainedNetwork, train_full, weights_name
from rethinkdc.protocol.protocol import FullTraining, Protocol
from rethinkdc.protocol.teachers import TEACHER_SEMANTICS
from rethinkdc.seeds import Axis
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.views import VIEWS_REVISION

_KINDS = {"teacher": "teachers"}


def trained_network(
    context: Context,
    recipe: FullTraining,
    names: Sequence[str | int],
    model: Model | None,
    axis: Axis,
    stage: str,
    keep_epochs: Sequence[int],
    *,
    whitened: bool = False,
) -> TrainedNetwork:
    """The network of a recipe, trained on the training set; see :meth:`rethinkdc.contracts.Context.train`."""
    data, protocol = context.data, context.protocol
    architecture = model or context.method(Model, recipe.model)
    epochs = _checked(keep_epochs, recipe.training.length(len(data)).epochs)
    key = network_key(protocol, recipe, context.define(architecture), data.fingerprint, getattr(context.seeds, axis))
    # Named only where there are any, so that teachers of before are found.
    if names or axis != "teacher":
        key["use"] = [axis, *names]
    if epochs:
        key["keep_epochs"] = epochs
    if whitened:
        key["whitened"] = whitening_key(context)

    def build(inner: Context, out: Path) -> float:
        spent = train_full(
            data,
            protocol,
            recipe,
            architecture,
            lambda use: inner.seeds.of(axis, *names, use),
            Place(inner.device, inner.workers, inner.progress, work=inner.folder, out=out),
            description=" ".join(map(str, names)) or axis,
            keep_epochs=epochs,
            precision=protocol.precision,
            whitening=inner.whitening() if whitened else None,
        )
        inner.count_images(spent.images)
        return spent.seconds

    files = [WEIGHTS, *map(weights_name, epochs)]
    folder = context.artefact(_KINDS.get(axis, "networks"), key, stage, build, files=files)
    return TrainedNetwork(folder, architecture, recipe, len(data.class_names), protocol.store.size, tuple(epochs))


def network_key(
    protocol: Protocol, recipe: FullTraining, model: Mapping[str, Any], data: str, seed: int
) -> dict[str, Any]:
    """All that a teacher that is trained here depends on.

    Args:
        protocol: how its images are stored, and what it is trained in.
        recipe: how it is trained.
        model: definition of its architecture.
        data: fingerprint of the training images.
        seed: of the axis ``teacher``.
    """
    # Named only where it is not the usual one, so that networks of before are found.
    numbers = {} if protocol.precision == "float32" else {"precision": protocol.precision}
    return {
        "semantics": [TEACHER_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
        "model": dict(model),
        "recipe": recipe.model_dump(mode="json"),
        "store": protocol.store.model_dump(mode="json"),
        "data": data,
        "seed": seed,
        **numbers,
    }


def _checked(keep_epochs: Sequence[int], epochs: int) -> list[int]:
    """The epochs in order, each once.

    Raises:
        ValueError: one lies outside the training.
    """
    wanted = sorted(set(keep_epochs))
    if wanted and not 0 <= wanted[0] <= wanted[-1] <= epochs:
        raise ValueError(f"keep_epochs must lie in 0..{epochs}, the epochs of this recipe; found {wanted}.")
    return wanted
