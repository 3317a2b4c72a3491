"""Networks trained on the whole training set under hard labels: proxies and teachers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from rethinkdc import ranks
from rethinkdc.choices import Precision
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.device_store import place_store
from rethinkdc.data.store import CanvasStore, NativeStore, Store
from rethinkdc.data.whitening import Whitening
from rethinkdc.errors import RequestError
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol.protocol import FullTraining, Protocol
from rethinkdc.storage import copy_file, file_digest, load_tensors, write_atomic, write_tensors
from rethinkdc.training.loop import LoopSeeds, train_network
from rethinkdc.training.observer import Observer
from rethinkdc.training.targets import HardTargets
from rethinkdc.types import Images, Progress, ViewRule
from rethinkdc.views import ChangedViews

WEIGHTS = "model.safetensors"
"""The file of a trained network."""


class Spent(NamedTuple):
    """What a training took, tries before a kill included: seconds, and images that the network was shown."""

    seconds: float
    images: int


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
    keep_epochs: Sequence[int] = (),
    precision: Precision | None = None,
    whitening: Whitening | None = None,
) -> Spent:
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
        keep_epochs: epochs after which the weights are kept too; 0 = the initial ones.
        precision: what it is trained in; None = what students are trained in.
        whitening: of the images, in place of the recipe's normalisation; None = they are normalised.

    Returns:
        What it took.
    """
    recipe, size = training.training, protocol.store.size
    network = build_seeded(model, len(data.class_names), size, seed("init"))
    if whitening is None:
        views = recipe.make_views(recipe.mix, data.targets, size=size, rule=ViewRule(), cell_boxes=None)
        mean, std = training.mean, training.std
    else:
        views = ChangedViews(recipe.views, whitening.to(place.device).apply, size=size)
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    keeper = _WeightKeeper(place.work, keep_epochs)
    keeper.epoch_ended(-1, network)
    log = train_network(
        network,
        place_store(_store(data, protocol, training), place.device, workers=place.workers),
        data.targets,
        views,
        HardTargets(),
        recipe,
        recipe.length(len(data)),
        mean=mean,
        std=std,
        seeds=LoopSeeds(order=seed("order"), views=seed("views"), noise=seed("noise")),
        device=place.device,
        workers=place.workers,
        precision=precision,
        folder=place.work,
        observers=[*observers, *([keeper] if keep_epochs else [])],
        progress=place.progress,
        description=description,
    )
    if ranks.writes():
        write_tensors(place.out / WEIGHTS, _weights_of(network))
        for name in map(weights_name, keep_epochs):
            copy_file(place.work / name, place.out / name)
    # Steps that seek flat places look at their images twice.
    return Spent(log.seconds, log.views * (2 if recipe.optimizer.rho else 1))


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained on the whole training set, as its weights on disk.

    Attributes:
        folder: of the artefact; its name is the digest of all that the network depends on.
        model: the architecture.
        recipe: what it was trained by; it holds the normalisation of the network's input.
        classes: number of classes.
        size: side of the images in pixels.
        keep_epochs: epochs whose weights were kept; 0 = the initial ones.
    """

    folder: Path
    model: Model
    recipe: FullTraining
    classes: int
    size: int
    keep_epochs: tuple[int, ...] = ()

    def network(self) -> nn.Module:
        """A fresh module with the weights of the end, on the CPU, in training mode."""
        return read_network(self.folder, self.model, self.classes, self.size)

    def weights(self, epoch: int) -> dict[str, Tensor]:
        """The weights and buffers after an epoch that was kept (0 = the initial ones), memory-mapped.

        Raises:
            RequestError: the weights of this epoch were not kept; names those that were.
        """
        if epoch not in self.keep_epochs:
            kept = ", ".join(map(str, self.keep_epochs)) or "none"
            raise RequestError(f"The weights after epoch {epoch} were not kept; kept: {kept}. Name it in keep_epochs.")
        return load_tensors(self.folder / weights_name(epoch))


def read_network(folder: Path, model: Model, classes: int, size: int) -> nn.Module:
    """The network that :func:`train_full` left in ``folder``."""
    network = build_seeded(model, classes, size, 0)
    network.load_state_dict(load_tensors(folder / WEIGHTS))
    return network


def weights_name(epoch: int) -> str:
    """Name of the file that holds the weights after an epoch."""
    return f"weights-{epoch:05d}.safetensors"


class _WeightKeeper:
    """Keeps the weights after some epochs in the working folder; a resumed training writes the same ones again."""

    wants_batches = False
    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(self, folder: Path, epochs: Sequence[int]) -> None:
        self.folder, self.epochs = folder, set(epochs)
        self._digests: dict[str, str] = {}

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Sees nothing in a batch."""

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        if epoch + 1 in self.epochs and ranks.writes():
            name, payload = weights_name(epoch + 1), save(_weights_of(model))
            write_atomic(self.folder / name, payload)
            self._digests[name] = hashlib.sha256(payload).hexdigest()

    def state(self) -> dict[str, Any]:
        """The digests of the files so far."""
        return {"digests": dict(self._digests)}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Whether the files are those of a checkpoint; the initial weights were just written again."""
        if state is None or "digests" not in state:
            return state is None
        try:
            whole = all(file_digest(self.folder / name) == told for name, told in state["digests"].items())
        except OSError:
            return False
        self._digests.update(state["digests"])
        return whole


def _weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().contiguous().cpu() for key, value in network.state_dict().items()}


def _store(data: Images, protocol: Protocol, training: FullTraining) -> Store:
    """Stored canvases or native images. An encoded set is decoded on demand, never copied whole in memory."""
    if training.source == "native":
        return NativeStore(data)
    store = protocol.store
    if isinstance(data, DecodedImages):
        return CanvasStore(data, store.size, store.fit, store.interpolation)
    return CanvasStore(data, store.size, store.fit, store.interpolation, limit_bytes=0)
