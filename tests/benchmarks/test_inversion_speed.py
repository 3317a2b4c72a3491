"""What SRe2L costs beside the bare network, and the memory that a set takes; run with ``-m benchmark -s``."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.distillation import BATCHNORM, Goal, StatisticsMatching, Turn, normalised_range, running_statistics
from rethinkdc.distillation.descent import recover
from rethinkdc.models import Model, build_seeded
from rethinkdc.models.external import TorchvisionModel
from rethinkdc.plugins.distillation.sre2l import SRe2L
from rethinkdc.plugins.models.resnet18_3x3 import ResNet18Small
from rethinkdc.plugins.models.resnet_light import ResNetLight
from rethinkdc.seeds import generator
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher, full_precision
from rethinkdc.types import ViewKey
from rethinkdc.views import DifferentiableViews

pytestmark = pytest.mark.benchmark
ROUNDS, LIMIT, MEBIBYTE = 7, 1.25, 1 << 20


def cpu_seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("model", "size", "batch", "iterations"),
    [(ResNetLight(), 32, 100, 8), (ResNet18Small(), 32, 100, 1), (TorchvisionModel(id="resnet18"), 224, 4, 4)],
    ids=["resnet-light-32", "resnet18-3x3-32", "resnet18-224"],
)
@pytest.mark.parametrize("paper", ["cifar100", "imagenet-1k"])
def test_an_iteration_costs_at_most_a_quarter_more_than_the_network(
    model: Model, size: int, batch: int, iterations: int, paper: str
) -> None:
    """Of ``cifar100`` the views are a roll, of ``imagenet-1k`` a crop, a flip and a roll."""
    flat, scale = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    module = build_seeded(model, 100, size, 0)
    teacher = Teacher("one", "a net", module, flat, scale, size, TestView(resize=size, size=size))
    method, values = SRe2L(), {**SRe2L.presets[paper].values, "iterations": iterations, "first_bn": 10.0}
    views = DifferentiableViews(method.ops(values, size, 0), size=size, shared=True)
    labels = torch.arange(batch)
    start = torch.randn((batch, 3, size, size), generator=generator(0)).contiguous(memory_format=torch.channels_last)
    low, high = normalised_range(flat, scale)

    def view(images: Tensor, iteration: int) -> Tensor:
        return views.render(images, ViewKey(0, iteration, 0))

    def inverted() -> None:
        goal = Goal(1.0, {BATCHNORM.name: running_statistics(teacher.module)})
        turns = [Turn(StatisticsMatching(teacher.module, [BATCHNORM], [goal]))]
        recover(start, labels, turns, method.recipe(values), view=view, low=low, high=high)

    def bare() -> None:
        images = start.clone().requires_grad_()
        for _ in range(iterations):
            torch.autograd.grad(F.cross_entropy(teacher.module(images), labels), images)

    with full_precision(teacher.device):
        inverted()
        bare()
        # One after the other, again and again: what else the machine does meets both.
        rounds = [(cpu_seconds(bare), cpu_seconds(inverted)) for _ in range(ROUNDS)]
    ratio = median(ours / plain for plain, ours in rounds)
    plain, ours = (1000 * median(column) / iterations for column in zip(*rounds, strict=True))
    name = getattr(model, "id", model.name)
    print(
        f"\n{name} at {size} px, {batch} images, views of {paper}: an iteration {ours:.0f} ms, forward and backward "
        f"{plain:.0f} ms, median of {ROUNDS} ratios {ratio:.3f}"
    )
    assert ratio <= LIMIT


_MAKE = """
import sys
from pathlib import Path
import torch
from rethinkdc.training.memory import PeakMeter
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

torch.set_num_threads(1)
ipc = int(sys.argv[2])
model = {"name": "resnet-light", "values": {}}
protocol = Registry().protocols.find("digits-hard").override(
    {"teacher.recipes.standard.model": model, "store.size": 32, "test.resize": 32, "test.size": 32}
)
data = images(classes=10, per_class=10, size=32)
surroundings = context(Path(sys.argv[1]), data=data, protocol=protocol, ipc=ipc)
surroundings.teacher()
meter = PeakMeter()
found = surroundings.compress("sre2l:iterations=3,batch=10", data, Budget(ipc=ipc, classes=10, size=32))
assert len(found) == 10 * ipc
print(meter.read())
"""


def test_four_times_the_batches_take_the_same_memory(tmp_path: Path) -> None:
    """Peak resident size beyond the teacher, in processes of their own; what one batch left behind would be 25 MiB."""
    peaks = {}
    for batches in (2, 8):
        command = [sys.executable, "-c", _MAKE, str(tmp_path / str(batches)), str(batches)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[batches] = int(done.stdout.split()[-1]) / MEBIBYTE
    print("\nPeak MiB by batches of 10 images at 32 px:", {key: round(peak, 1) for key, peak in peaks.items()})
    assert peaks[2] > 10
    assert peaks[8] - peaks[2] < 8
