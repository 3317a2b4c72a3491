"""Networks trained on the whole training set under hard labels: proxies and teachers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore, NativeStore, Store
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol.protocol import FullTraining, Protocol
from rethinkdc.training.loop import LoopSeeds, train_network
from rethinkdc.training.observer import Observer
from rethinkdc.training.predict import TestView
from rethinkdc.training.targets import HardTargets
from rethinkdc.types import Images, Progress, ViewRule
from rethinkdc.views import Views

_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Place:
    """Where a network is trained.

    Attributes:
        device: that computes.
        workers: threads that render views ahead.
        progress: where steps are reported.
        work: survives a kill; training resumes from it.
        out: folder of the artefact.
    """

    device: torch.device
    workers: int
    progress: Progress
    work: Path
    out: Path


def train_full(
    data: Images,
    protocol: Protocol,
    training: FullTraining,
    model: Model,
    seed: Callable[[str], int],
    place: Place,
    *,
    description: str,
    observers: Sequence[Observer] = (),
) -> float:
    """Trains a network on all training rows and writes its weights to the artefact's folder.

    Args:
        data: the training set.
        protocol: its store is followed.
        training: normalisation, recipe and source.
        model: the architecture.
        seed: of each use, by name: ``init``, ``order``, ``views``, ``noise``.
        place: where.
        description: what the progress calls it.
        observers: see every batch.

    Returns:
        Seconds of training, those before a kill included.
    """
    recipe, size = training.training, protocol.store.size
    network = build_seeded(model, len(data.class_names), size, seed("init"))
    fitted = train_network(
        network,
        _store(data, protocol, training),
        data.targets,
        Views(recipe.views, recipe.mix, size=size, rule=ViewRule(), cell_boxes=None),
        HardTargets(),
        recipe,
        recipe.length(len(data)),
        mean=training.mean,
        std=training.std,
        seeds=LoopSeeds(order=seed("order"), views=seed("views"), noise=seed("noise")),
        device=place.device,
        workers=place.workers,
        folder=place.work,
        observers=observers,
        progress=place.progress,
        description=description,
    )
    save_file({key: value.contiguous().cpu() for key, value in network.state_dict().items()}, place.out / _WEIGHTS)
    return fitted.seconds


def trained_network(folder: Path, data: Images, protocol: Protocol, model: Model) -> nn.Module:
    """The network that :func:`train_full` left in ``folder``."""
    network = build_seeded(model, len(data.class_names), protocol.store.size, 0)
    network.load_state_dict(load_file(folder / _WEIGHTS))
    return network


def observed_view(protocol: Protocol, training: FullTraining) -> TestView:
    """How un-augmented images are shown to such a network: as it was trained on them."""
    if training.source == "native":
        return protocol.test
    store = protocol.store
    return TestView(resize=store.size, size=store.size, fit=store.fit, interpolation=store.interpolation)


def _store(data: Images, protocol: Protocol, training: FullTraining) -> Store:
    """Stored canvases or native images. An encoded set is decoded on demand, never copied whole."""
    if training.source == "native":
        return NativeStore(data)
    store = protocol.store
    if isinstance(data, DecodedImages):
        return CanvasStore(data, store.size, store.fit, store.interpolation)
    return CanvasStore(data, store.size, store.fit, store.interpolation, limit_bytes=0)
