"""What soft labels cost a student's training, beside hard labels in the same process; run with ``-m benchmark -s``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from rethinkdc.data.store import CanvasStore
from rethinkdc.labels import (
    Dense,
    Ensemble,
    LabelReader,
    LabelSchedule,
    OnlineTargets,
    Shards,
    StoredTargets,
    distillation,
    write_labels,
)
from rethinkdc.models import Model, build_seeded
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, train_network
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Drawn, Supervision, ViewBatch, ViewKey, ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views

pytestmark = pytest.mark.benchmark

SIZE, CLASSES, STEPS, BATCH = 32, 10, 60, 64
DATA = images(classes=CLASSES, per_class=10, size=SIZE)
STORE = CanvasStore(DATA, SIZE)
RECIPE = Recipe(steps=STEPS, batch=BATCH)
VIEWS = Views([RandomResizedCrop(scale=(0.25, 1.0)), Flip()], CutMix(), size=SIZE, rule=ViewRule(), cell_boxes=None)
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def network(seed: int) -> torch.nn.Module:
    model = Registry().build("model", "resnet-light")
    assert isinstance(model, Model)
    return build_seeded(model, CLASSES, SIZE, seed)


def ensemble() -> Ensemble:
    return Ensemble([Teacher("one", "a net", network(1), MEAN, STD, SIZE, TestView(resize=SIZE, size=SIZE))])


def objective(logits: torch.Tensor, soft: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
    return distillation(logits, soft, 20.0)


def stored(folder: Path, steps: int = STEPS) -> StoredTargets:
    length = RECIPE.model_copy(update={"steps": steps}).length(len(DATA))
    schedule = LabelSchedule(length, steps, order=1, views=2)
    shards = Shards(schedule, Dense(), CLASSES)

    def render(batch: int) -> ViewBatch:
        drawn = Drawn(schedule.key(batch), schedule.rows(batch))
        return VIEWS.render(STORE, drawn.rows, DATA.targets[drawn.rows], drawn.key)

    (folder / "out").mkdir(parents=True)
    write_labels(shards, ensemble(), render, context(folder), folder / "out")
    return StoredTargets(LabelReader(folder / "out", shards), schedule, objective, CutMix())


def trained(supervision: Supervision) -> None:
    train_network(
        network(0),
        STORE,
        DATA.targets,
        VIEWS,
        supervision,
        RECIPE,
        RECIPE.length(len(DATA)),
        mean=MEAN,
        std=STD,
        seeds=LoopSeeds(order=0, views=0, noise=0),
        device=torch.device("cpu"),
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_stored_labels_train_as_fast_as_hard_ones_and_online_ones_cost_a_forward(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    teachers = ensemble()
    steps = RECIPE.length(len(DATA)).walk(0)
    pixels = [
        VIEWS.render(STORE, step.rows, DATA.targets[step.rows], ViewKey(0, step.epoch, step.batch)).pixels
        for step in steps
    ]
    works: dict[str, Callable[[], object]] = {
        "hard": partial(trained, HardTargets()),
        "stored": partial(trained, stored(tmp_path)),
        "online": partial(trained, OnlineTargets(teachers, objective, "protocol")),
        "forward": lambda: deque(map(teachers.logits, pixels), maxlen=0),
    }
    for work in works.values():
        work()
    # One after the other, again and again: what else the machine does meets all of them.
    rounds = [{name: cpu_seconds(work) for name, work in works.items()} for _ in range(5)]
    ratio = statistics.median(found["stored"] / found["hard"] for found in rounds)
    extra = statistics.median((found["online"] - found["hard"]) / found["forward"] for found in rounds)
    medians = {name: round(statistics.median(found[name] for found in rounds), 2) for name in works}
    print(f"\nCPU seconds of {STEPS} steps of {BATCH} views at {SIZE} px, ResNet light: {medians}")
    print(f"stored / hard {ratio:.3f}; (online - hard) / one forward of the teacher {extra:.2f}")
    assert ratio < 1.10
    assert extra < 1.10


_RELABEL = """
import resource, sys
from pathlib import Path
import torch
from torch import nn
from rethinkdc.data.store import CanvasStore
from rethinkdc.labels import Dense, Ensemble, LabelSchedule, Shards, write_labels
from rethinkdc.testing import context, images
from rethinkdc.training.length import Length
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import ViewRule
from rethinkdc.views import Flip, Views

classes, batch, steps = 1000, 64, int(sys.argv[2])
data = images(classes=classes, per_class=1, size=8)
store = CanvasStore(data, 8)
views = Views([Flip()], None, size=8, rule=ViewRule(), cell_boxes=None)
module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))
teachers = Ensemble([Teacher("one", "a net", module, (0.5,) * 3, (0.25,) * 3, 8, TestView(resize=8, size=8))])
schedule = LabelSchedule(Length(classes, batch, steps, -(-steps // 16)), steps, order=1, views=2)

def render(number):
    rows = schedule.rows(number)
    return views.render(store, rows, data.targets[rows], schedule.key(number))

folder = Path(sys.argv[1])
(folder / "out").mkdir(parents=True)
shards = Shards(schedule, Dense(), classes)
write_labels(shards, teachers, render, context(folder), folder / "out")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_relabelling_takes_the_same_memory_for_any_number_of_epochs(tmp_path: Path) -> None:
    """Peak resident size of processes of their own: 1,000 classes, so 128 kB of labels a batch, 16 MiB a shard."""
    peaks = {}
    for steps in (300, 3000):
        command = [sys.executable, "-c", _RELABEL, str(tmp_path / str(steps)), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[steps] = int(done.stdout.split()[-1]) / 1024
    written = sum(path.stat().st_size for path in (tmp_path / "3000" / "out").iterdir())
    told = {steps: round(peak) for steps, peak in peaks.items()}
    print(f"\nPeak MiB of relabelling by steps: {told}; {written:,} bytes in the end")
    assert written > 300e6
    assert peaks[3000] - peaks[300] < 48
