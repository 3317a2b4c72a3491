"""RDED at scale without its teacher's forward passes, and how many images a network takes a second on one core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from rethinkdc.types import Budget
from tests.benchmarks.scale.networks import Answers, resnet18, teacher_of
from tests.benchmarks.scale.scenario import Facts, Scenario
from tests.benchmarks.scale.surroundings import context_of
from tests.benchmarks.scale.tables import Tables


def scenarios() -> Iterator[Scenario]:
    """The pool, the crops, their losses and the canvases; the network alone."""
    for ipc in (10, 50):
        yield Scenario("rded", f"rded ipc {ipc}", partial(_stitch, ipc))
    yield Scenario("rded", "resnet18 forward", _forward)


def _stitch(ipc: int, tables: Tables, folder: Path) -> Facts:
    from rethinkdc.plugins.distillation.rded import RDED

    context = context_of(tables, folder, teacher_of(Answers(tables.shape.outputs), "answers", tables.shape.side))
    count = min(ipc, tables.shape.per_class // 4)
    method = RDED(pool=max(300, 4 * count))
    compressed = method.compress(
        tables.images, Budget(ipc=count, classes=tables.shape.classes, size=tables.shape.side), context
    )
    crops = sum(min(method.pool, size) for size in tables.shape.targets.bincount().tolist()) * method.crops
    return {"canvases": len(compressed), "crops": crops}


def _forward(tables: Tables, folder: Path) -> Facts:
    assert folder.exists()
    batch, side = 16, tables.shape.side
    network = resnet18(tables.shape.outputs, side)
    images = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        network(images)
        begun = time.process_time()
        for _ in range(3):
            network(images)
    return {"images per second": 3 * batch / (time.process_time() - begun)}
