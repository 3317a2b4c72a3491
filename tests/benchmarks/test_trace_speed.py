"""What the trace costs, and how fast the light network trains: CPU time on one thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.resnet_light import ResNetLight
from rethinkdc.training import FitSeeds, HardTargets, Recipe, TraceRecorder, fit
from rethinkdc.types import ViewRule, generator
from rethinkdc.views import CropPad, Flip, Views

pytestmark = pytest.mark.benchmark
ROWS, BATCH, EPOCHS = 640, 64, 6
RECIPE = Recipe(epochs=EPOCHS, batch=BATCH, views=(CropPad(op="crop-pad"), Flip(op="flip")))


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Timed(TraceRecorder):
    """Adds up the CPU seconds that recording takes."""

    spent = 0.0

    def batch(self, *given: Any) -> None:
        started = time.process_time()
        super().batch(*given)
        self.spent += time.process_time() - started

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        started = time.process_time()
        super().epoch_ended(epoch, model)
        self.spent += time.process_time() - started


def _train(recorder: TraceRecorder | None) -> float:
    pixels = torch.randint(0, 256, (ROWS, 3, 32, 32), dtype=torch.uint8, generator=generator(0))
    images = DecodedImages(pixels, torch.arange(ROWS) % 10, tuple("0123456789"))
    model = build_seeded(ResNetLight(), 10, 32, 0)
    views = Views(RECIPE.views, None, size=32, rule=ViewRule(), cell_boxes=None)
    store, plan = CanvasStore(images, 32), RECIPE.length(ROWS)
    started = time.process_time()
    fit(
        model, store, images.targets, views, HardTargets(), RECIPE, plan, mean=(0.5,) * 3, std=(0.25,) * 3,
        seeds=FitSeeds(1, 2, 3), device=torch.device("cpu"), observers=[recorder] if recorder else [],
    )  # fmt: skip
    return time.process_time() - started


@pytest.mark.usefixtures("one_thread")
def test_recording_the_trace_costs_at_most_two_percent(benchmark: Any, tmp_path: Path) -> None:
    """Paired: the recorder's own CPU time within a run, beside whole runs with and without it."""
    _train(None)
    shares, plain, traced = [], [], []
    for turn in range(3):
        plain.append(_train(None))
        recorder = Timed(tmp_path / str(turn), rows=ROWS, epochs=EPOCHS, classes=10)
        traced.append(_train(recorder))
        shares.append(recorder.spent / (traced[-1] - recorder.spent))
    benchmark.extra_info.update(
        share=median(shares), paired=min(traced) / min(plain) - 1, images_per_second=ROWS * EPOCHS / min(plain)
    )
    benchmark.pedantic(lambda: _train(None), rounds=1)
    assert median(shares) <= 0.02


@pytest.mark.usefixtures("one_thread")
def test_the_loop_costs_little_beside_the_network(benchmark: Any) -> None:
    """The bare steps of the network on ready pixels, beside whole training with views, seeds and checks."""
    model = build_seeded(ResNetLight(), 10, 32, 0).to(memory_format=torch.channels_last)
    optimizer = RECIPE.optimizer.make(model)
    pixels = torch.randn(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    targets = torch.arange(BATCH) % 10

    def bare() -> float:
        started = time.process_time()
        for _ in range(ROWS * EPOCHS // BATCH):
            loss: Tensor = nn.functional.cross_entropy(model(pixels), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return time.process_time() - started

    bare()
    alone, whole = [], []
    for _ in range(3):
        alone.append(bare())
        whole.append(_train(None))
    views = ROWS * EPOCHS
    benchmark.extra_info.update(bare=views / min(alone), whole=views / min(whole))
    benchmark.pedantic(bare, rounds=1)
    assert min(whole) <= 1.15 * min(alone)
