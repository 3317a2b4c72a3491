"""The proxy: one training run on the full training set, traced, that serves every score and every feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rethinkdc import ranks
from rethinkdc.data.chunks import at_once
from rethinkdc.errors import RequestError
from rethinkdc.models.model import Model
from rethinkdc.protocol.full_training import Place, Spent, train_full
from rethinkdc.protocol.protocol import Epoch, Protocol
from rethinkdc.seeds import Seeds
from rethinkdc.storage import flush_table, make_table, map_table
from rethinkdc.training.predict import BATCH, Prediction, predict_batches
from rethinkdc.training.trace_recorder import TraceAssistant, TraceRecorder
from rethinkdc.types import Images, Passing, Predictions
from rethinkdc.views import Normaliser

TRACE_SEMANTICS = 1
"""Raised whenever a trace of the same proxy would hold other numbers."""
PREDICTION_FILES = tuple(f"{name}.npy" for name in Predictions._fields)
"""What :func:`write_predictions` writes."""


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


def train_proxy(data: Images, protocol: Protocol, model: Model, seeds: Seeds, repeat: int, place: Place) -> Spent:
    """Trains the protocol's proxy and writes its trace and its weights to the artefact's folder.

    Args:
        data: the training set.
        protocol: its ``[proxy]`` is followed.
        model: the proxy's architecture.
        seeds: the ``proxy`` axis is used.
        repeat: 0 for the shared proxy; other numbers give independent runs (scores averaged over repeats).
        place: where.

    Returns:
        What it took, the un-augmented rows that it was shown for its trace included.

    Raises:
        RequestError: a clean epoch of the protocol lies beyond the proxy's length.
    """
    proxy = protocol.proxy_recipe()
    plan = proxy.training.length(len(data))
    clean_epochs = tuple(sorted({as_epoch(value, plan.epochs) for value in proxy.clean}))

    def observe_clean(trained: nn.Module) -> Iterator[Prediction]:
        return _observe(trained, data, protocol, place.device, place.workers)

    recorder: TraceRecorder | TraceAssistant = TraceAssistant(clean_epochs=clean_epochs, observe_clean=observe_clean)
    if ranks.writes():
        recorder = TraceRecorder(
            place.work,
            rows=len(data),
            epochs=plan.epochs,
            classes=len(data.class_names),
            clean_epochs=clean_epochs,
            observe_clean=observe_clean,
        )
    spent = train_full(
        data,
        protocol,
        proxy,
        model,
        lambda name: seeds.of("proxy", name, repeat),
        place,
        description="proxy",
        observers=[recorder],
    )
    if isinstance(recorder, TraceRecorder):
        recorder.finish(place.out)
    return spent._replace(images=spent.images + len(clean_epochs) * len(data))


def write_predictions(
    network: nn.Module,
    data: Images,
    protocol: Protocol,
    out: Path,
    *,
    device: torch.device,
    workers: int,
    passing: Passing = at_once,
    seen: Callable[[int], None] = lambda _: None,
) -> None:
    """Writes the proxy's :class:`~rethinkdc.types.Predictions` of all un-augmented rows to ``out``, batch by batch.

    Args:
        network: the proxy.
        data: the training set.
        protocol: says how its rows are shown.
        out: folder of the artefact.
        device: where the network runs.
        workers: threads that render ahead.
        passing: keeps what is done.
        seen: called with the number of rows that the network was shown since the last call.

    Raises:
        RequestError: a feature or a logit is not finite; names the first such row.
    """

    def predicted(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        batches = [torch.arange(span.start, span.stop) for span in spans]
        for rows, logits, features in _observe(network, data, protocol, device, workers, batches):
            said = Predictions(features, logits)._asdict()
            for name, values in said.items():
                require_finite(values, rows, f"The proxy's {name}")
            seen(len(rows))
            yield said

    chunks = passing("predictions", len(data), BATCH, predicted)
    if not ranks.writes():
        return
    for name in Predictions._fields:
        # N x D and N x C numbers may be more than memory holds: from map to map.
        table = make_table(out / f"{name}.npy", np.float32, (len(data), chunks[0][name].shape[1]))
        for index, chunk in enumerate(chunks):
            table[index * BATCH : (index + 1) * BATCH] = chunk[name].numpy()
        flush_table(table)


def read_predictions(folder: Path) -> Predictions:
    """What :func:`write_predictions` wrote, memory-mapped; writing to it changes nothing on disk."""
    return Predictions(*(torch.from_numpy(map_table(folder / f"{name}.npy")) for name in Predictions._fields))


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
        proxy = protocol.proxy_recipe()
        self._view = protocol.observed_view(proxy)
        self._normalise = Normaliser(proxy.mean, proxy.std, torch.float32, device)

    def inputs(self, rows: Tensor) -> Tensor:
        """Un-augmented training rows (int64 [B]), normalised: float32 [B, 3, S, S] on the device."""
        return self._normalise(self._view.render(self._data, rows).to(self._device)).clone()


def _observe(
    network: nn.Module,
    data: Images,
    protocol: Protocol,
    device: torch.device,
    workers: int,
    batches: Sequence[Tensor] | None = None,
) -> Iterator[Prediction]:
    """Logits and features of un-augmented rows, those of each batch or all, batch by batch."""
    proxy = protocol.proxy_recipe()
    return predict_batches(
        network,
        data,
        protocol.observed_view(proxy),
        mean=proxy.mean,
        std=proxy.std,
        device=device,
        workers=workers,
        batches=batches,
        features=True,
    )
