"""A small traced training run, for tests that kill it: ``python traced_run.py FOLDER CHECKPOINT_EVERY EVENT COUNT``.

The process kills itself with SIGKILL at the COUNT-th EVENT: ``batch`` (after one was observed) or ``epoch`` (between
the observers' end of an epoch and its checkpoint).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore
from rethinkdc.seeds import generator
from rethinkdc.training import (
    HardTargets,
    LoopSeeds,
    Observer,
    Recipe,
    TestView,
    TraceRecorder,
    TrainingLog,
    predict_batches,
    train_network,
)
from rethinkdc.types import ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views

ROWS, CLASSES, SIZE = 22, 3, 8
MEAN = STD = (0.5, 0.5, 0.5)
RECIPE = Recipe(epochs=4, batch=8, views=(RandomResizedCrop(op="random-resized-crop"), Flip(op="flip")))


class Kill:
    """An observer that ends the process without any clean-up."""

    wants_batches = True
    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(self, event: str, count: int) -> None:
        self.event, self.left = event, count

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        self._happened("batch")

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        self._happened("epoch")

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        return True

    def _happened(self, event: str) -> None:
        self.left -= event == self.event
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def images() -> DecodedImages:
    """Noise with a class each."""
    pixels = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(1))
    return DecodedImages(pixels, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))


def network() -> nn.Module:
    """Has all that a resumed run must bring back: BatchNorm statistics, dropout noise, optimiser state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(6 * 36, CLASSES))


def train(
    folder: Path | None,
    trace: Path,
    *,
    observers: Sequence[Observer] = (),
    checkpoint_every: float = 1e9,
    workers: int = 0,
) -> tuple[nn.Module, TrainingLog, TraceRecorder]:
    """Trains with a trace of all epochs in ``trace``, clean ones after epochs 1 and 3."""
    data, model = images(), network()
    view = TestView(resize=SIZE, size=SIZE)

    recorder = TraceRecorder(
        trace,
        rows=ROWS,
        epochs=4,
        classes=CLASSES,
        clean_epochs=(1, 3),
        observe_clean=lambda trained: predict_batches(
            trained, data, view, mean=MEAN, std=STD, device=torch.device("cpu"), features=True
        ),
    )
    fitted = train_network(
        model,
        CanvasStore(data, SIZE),
        data.targets,
        Views(RECIPE.views, CutMix(op="cutmix"), size=SIZE, rule=ViewRule(), cell_boxes=None),
        HardTargets(),
        RECIPE,
        RECIPE.length(ROWS),
        mean=MEAN,
        std=STD,
        seeds=LoopSeeds(order=1, views=2, noise=3),
        device=torch.device("cpu"),
        workers=workers,
        folder=folder,
        checkpoint_every=checkpoint_every,
        observers=[recorder, *observers],
    )
    return model, fitted, recorder


if __name__ == "__main__":
    place, every, happening, count = sys.argv[1:]
    torch.set_num_threads(1)
    train(Path(place), Path(place), observers=[Kill(happening, int(count))], checkpoint_every=float(every))
