"""The proxy: one training run on the full training set, traced, that serves every score and every feature."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore, NativeStore, Store
from rethinkdc.errors import RequestError
from rethinkdc.models.model import Model, build_seeded
from rethinkdc.protocol import Epoch, Protocol
from rethinkdc.training.loop import FitSeeds, fit
from rethinkdc.training.predict import Prediction, TestView, predict_batches
from rethinkdc.training.targets import HardTargets
from rethinkdc.training.trace import TraceRecorder
from rethinkdc.types import Images, Predictions, Progress, Seeds, ViewRule
from rethinkdc.views import Normaliser, Views

TRACE_SEMANTICS = 1
"""Raised whenever a trace of the same proxy would hold other numbers."""


def training_store(data: Images, protocol: Protocol, source: Literal["canvas", "native"]) -> Store:
    """What a proxy or a teacher reads: stored canvases or native images. An encoded set is decoded on demand."""
    if source == "native":
        return NativeStore(data)
    store = protocol.store
    if isinstance(data, DecodedImages):
        return CanvasStore(data, store.size, store.fit, store.interpolation)
    return CanvasStore(data, store.size, store.fit, store.interpolation, limit_bytes=0)


def observed_view(protocol: Protocol, source: Literal["canvas", "native"]) -> TestView:
    """How un-augmented images are shown to a proxy or a teacher that was trained on ``source``."""
    if source == "native":
        return protocol.test
    store = protocol.store
    return TestView(resize=store.size, size=store.size, fit=store.fit, interpolation=store.interpolation)


def as_epoch(value: Epoch, epochs: int) -> int:
    """A 1-based epoch from an epoch or a fraction of the run's length (1.0 = the last)."""
    return max(1, round(value * epochs)) if isinstance(value, float) else value


def epoch_range(chosen: Epoch | tuple[Epoch, Epoch], epochs: int, name: str) -> tuple[int, int]:
    """First and last 1-based epoch of a snapshot or a range, checked before any proxy is trained.

    Args:
        chosen: one epoch, or (first, last); fractions of the run are allowed.
        epochs: length of the proxy.
        name: of the score, for errors.

    Raises:
        RequestError: the range runs backwards or beyond the proxy.
    """
    first, last = chosen if isinstance(chosen, tuple | list) else (chosen, chosen)
    first, last = as_epoch(first, epochs), as_epoch(last, epochs)
    if first > last:
        raise RequestError(f"{name}: epochs=[{first},{last}] runs backwards; give [first,last].")
    if last > epochs:
        raise RequestError(
            f"{name}: epoch {last} does not exist: the protocol's proxy trains for {epochs} epochs. "
            f"Choose epochs within 1..{epochs}, or a fraction such as 0.5."
        )
    return first, last


def train_proxy(
    data: Images,
    protocol: Protocol,
    model: Model,
    seeds: Seeds,
    repeat: int,
    *,
    device: torch.device,
    workers: int,
    progress: Progress,
    work: Path,
    out: Path,
) -> float:
    """Trains the protocol's proxy and writes its trace and ``model.safetensors`` to ``out``.

    Args:
        data: the training set.
        protocol: its ``[proxy]`` is followed.
        model: the proxy's architecture.
        seeds: the ``proxy`` axis is used.
        repeat: 0 for the shared proxy; other numbers give independent runs (scores averaged over repeats).
        device: where to train.
        workers: threads that render views ahead.
        progress: where to report to.
        work: survives a kill; training resumes from it.
        out: folder of the artefact.

    Returns:
        Seconds of training, those before a kill included.

    Raises:
        RequestError: a clean epoch of the protocol lies beyond the proxy's length.
    """
    proxy, size = protocol.proxy, protocol.store.size
    classes = len(data.class_names)
    network = build_seeded(model, classes, size, seeds.of("proxy", "init", repeat))
    plan = proxy.training.length(len(data))
    clean = sorted({as_epoch(value, plan.epochs) for value in proxy.clean})

    def observe_clean(trained: nn.Module) -> Iterator[Prediction]:
        return predict_batches(
            trained,
            data,
            observed_view(protocol, protocol.proxy.source),
            mean=proxy.mean,
            std=proxy.std,
            device=device,
            workers=workers,
            features=True,
        )

    recorder = TraceRecorder(
        work,
        rows=len(data),
        epochs=plan.epochs,
        classes=classes,
        clean_epochs=tuple(clean),
        observe_clean=observe_clean,
    )
    fitted = fit(
        network,
        training_store(data, protocol, proxy.source),
        data.targets,
        Views(proxy.training.views, proxy.training.mix, size=size, rule=ViewRule(), cell_boxes=None),
        HardTargets(),
        proxy.training,
        plan,
        mean=proxy.mean,
        std=proxy.std,
        seeds=FitSeeds(*(seeds.of("proxy", name, repeat) for name in ("order", "views", "noise"))),
        device=device,
        workers=workers,
        folder=work,
        observers=[recorder],
        progress=progress,
        description="proxy",
    )
    recorder.finish(out)
    save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, out / "model.safetensors")
    return fitted.seconds


def trained_network(folder: Path, data: Images, protocol: Protocol, model: Model) -> nn.Module:
    """The network that :func:`train_proxy` left in ``folder``."""
    network = build_seeded(model, len(data.class_names), protocol.store.size, 0)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network


def write_predictions(
    network: nn.Module, data: Images, protocol: Protocol, out: Path, *, device: torch.device, workers: int
) -> None:
    """Writes the proxy's :class:`~rethinkdc.types.Predictions` of all un-augmented rows to ``out``, batch by batch.

    Raises:
        RequestError: a feature or a logit is not finite; names the first such row.
    """
    tables: list[Any] = []
    for rows, logits, features in predict_batches(
        network,
        data,
        observed_view(protocol, protocol.proxy.source),
        mean=protocol.proxy.mean,
        std=protocol.proxy.std,
        device=device,
        workers=workers,
        features=True,
    ):
        found = (features, logits)
        for name, values in zip(Predictions._fields, found, strict=True):
            require_finite(values, rows, f"The proxy's {name}")
        # On disk from the start: N x D and N x C numbers may be more than memory holds.
        tables = tables or [
            np.lib.format.open_memmap(
                out / f"{name}.npy", mode="w+", dtype=np.float32, shape=(len(data), values.shape[1])
            )
            for name, values in zip(Predictions._fields, found, strict=True)
        ]
        for table, values in zip(tables, found, strict=True):
            table[rows.numpy()] = values.numpy()
    for table in tables:
        table.flush()


def read_predictions(folder: Path) -> Predictions:
    """What :func:`write_predictions` wrote, memory-mapped; writing to it changes nothing on disk."""
    # Copy-on-write, because torch has no read-only tensors.
    tables = [np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in Predictions._fields]
    return Predictions(*map(torch.from_numpy, tables))


def require_finite(values: Tensor, rows: Tensor, what: str) -> None:
    """Raises when a row of ``values`` (float [B, ...]) is not finite.

    Raises:
        RequestError: names the first such row of ``rows`` (int64 [B]) and its value.
    """
    finite = torch.isfinite(values).flatten(1).all(1)
    if not bool(finite.all()):
        at = int((~finite).nonzero()[0, 0])
        row = values[at].flatten()
        raise RequestError(
            f"{what} of training row {int(rows[at])} is not finite ({float(row[~torch.isfinite(row)][0])}): the proxy "
            "diverged on it. Look at the image, or lower the proxy's learning rate in a protocol of your own."
        )


class FrozenProxy:
    """A trained proxy in evaluation mode with frozen parameters, and its view of the training rows."""

    def __init__(self, network: nn.Module, data: Images, protocol: Protocol, device: torch.device) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self._data, self._device = data, device
        self._view = observed_view(protocol, protocol.proxy.source)
        self._normalise = Normaliser(protocol.proxy.mean, protocol.proxy.std, torch.float32, device)

    def inputs(self, rows: Tensor) -> Tensor:
        """Un-augmented training rows (int64 [B]), normalised: float32 [B, 3, S, S] on the device."""
        return self._normalise(self._view.render(self._data, rows).to(self._device)).clone()
