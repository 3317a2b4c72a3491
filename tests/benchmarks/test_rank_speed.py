"""What two ranks on one machine give over one, and what they spend on each other; run with ``-m benchmark -s``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
import torch

from rethinkdc import ranks
from rethinkdc.data.store import CanvasStore
from rethinkdc.models import Model, build_seeded
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import images
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, train_network
from rethinkdc.training.recipe import Optimizer
from rethinkdc.types import ViewRule
from rethinkdc.views import Flip, RandomResizedCrop, Views
from tests.ranks.launching import launch, values

pytestmark = pytest.mark.benchmark

SIZE, CLASSES, BATCH, STEPS = 32, 10, 32, 4
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def seconds(batch: int, steps: int, *, alone: bool) -> float:
    """Seconds of a step of ``resnet18-3x3`` on one thread, the first left out; ``alone``: without the other ranks."""
    model = Registry().build("model", "resnet18-3x3")
    assert isinstance(model, Model)
    data = images(classes=CLASSES, per_class=2 * BATCH // CLASSES + 1, size=SIZE)
    recipe = Recipe(optimizer=Optimizer(name="sgd", lr=0.1), steps=steps, batch=batch)
    views = Views([RandomResizedCrop(scale=(0.25, 1.0)), Flip()], None, size=SIZE, rule=ViewRule(), cell_boxes=None)

    def train(steps: int) -> float:
        return train_network(
            build_seeded(model, CLASSES, SIZE, 0),
            CanvasStore(data, SIZE),
            data.targets,
            views,
            HardTargets(),
            recipe.model_copy(update={"steps": steps}),
            recipe.model_copy(update={"steps": steps}).length(len(data)),
            mean=MEAN,
            std=STD,
            seeds=LoopSeeds(0, 1, 2),
            device=torch.device("cpu"),
        ).seconds

    if not alone:
        return (train(steps + 1) - train(1)) / steps
    ranks.meet("the begin")
    with ranks.apart():
        return (train(steps + 1) - train(1)) / steps


def test_two_ranks_of_one_machine_beside_one(tmp_path: Path) -> None:
    (one,) = values(launch(1, partial(seconds, BATCH, STEPS, alone=False), tmp_path))
    # As much work at the same time, and not a word between them.
    silent = max(values(launch(2, partial(seconds, BATCH // 2, STEPS, alone=True), tmp_path)))
    two = max(values(launch(2, partial(seconds, BATCH, STEPS, alone=False), tmp_path)))
    print(
        f"\nresnet18-3x3, {SIZE} px, batch {BATCH}, one thread a rank, load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores: one rank {BATCH / one:.1f} views/s, two {BATCH / two:.1f} ({one / two:.2f} times), "
        f"two that do not speak {BATCH / silent:.1f} ({one / silent:.2f} times): {max(0.0, 1 - silent / two):.0%} of "
        "two ranks' time goes into shared gradients and statistics, and into waiting for each other"
    )
    assert two < 2 * silent
