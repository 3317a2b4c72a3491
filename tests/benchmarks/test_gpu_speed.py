"""What a GPU is kept busy with: students, inversion and the scores of crops, each beside the bare network.

On a GPU: ``pytest -n 0 -m "benchmark and gpu" tests/benchmarks/test_gpu_speed.py -s``. Without one the same code runs
to its end at sizes of no meaning, as a test.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

import rethinkdc.training.loop
from rethinkdc.choices import Precision
from rethinkdc.data import CanvasStore, DecodedImages, DeviceStore
from rethinkdc.distillation import BATCHNORM, Goal, StatisticsMatching, Turn, normalised_range, running_statistics
from rethinkdc.distillation.crops import crop_losses, score_candidates
from rethinkdc.distillation.descent import recover
from rethinkdc.labels import Ensemble, OnlineTargets, distillation
from rethinkdc.models import Model, build_seeded
from rethinkdc.plugins.distillation.sre2l import SRe2L
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, train_network
from rethinkdc.training.precision import computing, usual_precision
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Supervision, ViewKey, ViewRule
from rethinkdc.views import DifferentiableViews, RandomResizedCrop

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40": 181e12, "4090": 165e12}
"""Products of bfloat16 that a GPU can add up in a second, without sparsity, by a part of its name."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and where."""

    device: torch.device
    model: str
    size: int
    classes: int
    rows: int
    batch: int
    steps: int
    warm: int
    inverted: int
    files: int
    workers: int


ONE_GPU = Sizes(torch.device("cuda"), "torchvision/resnet18", 224, 1000, 20_000, 128, 400, 50, 100, 4_000, 8)
TINY = Sizes(torch.device("cpu"), "resnet-light:width=4", 16, 10, 8, 4, 3, 1, 2, 4, 0)
PROTOCOL = "imagenet1k-hard"


class Clock:
    """Progress that begins to count after the warm steps, when the device has done them."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes, self.steps, self.begun = sizes, 0, 0.0

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self.advance

    def advance(self, steps: int) -> None:
        self.steps += steps
        if self.steps == self.sizes.warm:
            wait(self.sizes.device)
            self.begun = time.perf_counter()

    def rate(self) -> float:
        """Images a second since then."""
        wait(self.sizes.device)
        return (self.steps - self.sizes.warm) * self.sizes.batch / (time.perf_counter() - self.begun)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def protocol() -> Protocol:
    return Registry().protocols.find(PROTOCOL)


def network(sizes: Sizes, seed: int = 0) -> nn.Module:
    built = build_seeded(Registry().build(Model, sizes.model), sizes.classes, sizes.size, seed)
    return built.to(sizes.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def images_of(sizes: Sizes, count: int | None = None) -> DecodedImages:
    rows = count or sizes.rows
    pixels = torch.randint(0, 256, (rows, sizes.size, sizes.size, 3), dtype=torch.uint8, generator=generator(0))
    names = [str(index) for index in range(sizes.classes)]
    return DecodedImages(pixels.permute(0, 3, 1, 2), torch.arange(rows) % sizes.classes, names, "random")


def recipe_of(sizes: Sizes) -> Recipe:
    values = {"epochs": None, "steps": sizes.steps, "batch": sizes.batch}
    return protocol().training.model_copy(update=values)


def teacher_of(sizes: Sizes) -> Teacher:
    view, student = TestView(resize=sizes.size, size=sizes.size), protocol().student
    return Teacher("one", "a net", network(sizes, 1), student.mean, student.std, sizes.size, view, sizes.device)


def loop_rate(sizes: Sizes, supervision: Supervision) -> float:
    """Images a second of the framework's own loop, views and all."""
    data, recipe, student = images_of(sizes), recipe_of(sizes), protocol().student
    side = (sizes.size, sizes.size)
    store = DeviceStore(CanvasStore(data, sizes.size), side, sizes.device, limit_bytes=1 << 40)
    views = recipe.make_views(None, data.targets, size=sizes.size, rule=ViewRule(), cell_boxes=None)
    clock, length = Clock(sizes), recipe.length(sizes.rows)
    train_network(
        network(sizes), store, data.targets, views, supervision, recipe, length, mean=student.mean, std=student.std,
        seeds=LoopSeeds(0, 1, 2), device=sizes.device, workers=sizes.workers, progress=clock,
    )  # fmt: skip
    return clock.rate()


def bare_rate(sizes: Sizes) -> float:
    """Images a second of the step alone, on one batch of ready tensors."""
    model, recipe, clock = network(sizes).train(), recipe_of(sizes), Clock(sizes)
    optimizer = recipe.optimizer.make(model)
    shape = (sizes.batch, 3, sizes.size, sizes.size)
    pixels = torch.randn(shape, device=sizes.device).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(sizes.batch, device=sizes.device) % sizes.classes
    coarse = usual_precision(sizes.device) == "bf16"
    for _ in range(sizes.steps):
        with torch.autocast(sizes.device.type, dtype=torch.bfloat16, enabled=coarse):
            logits = model(pixels)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        clock.advance(1)
    return clock.rate()


class Files(Dataset[tuple[Tensor, int]]):
    """JPEG files as the paper's evaluator reads them: PIL, then torchvision's transforms."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes, self.made = sizes, [_jpeg(image) for image in images_of(sizes, sizes.files).pixels]
        self.shown = transforms.Compose(
            [
                transforms.RandomResizedCrop(sizes.size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(protocol().student.mean, protocol().student.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = Image.open(io.BytesIO(self.made[row])).convert("RGB")
        return self.shown(image), row % self.sizes.classes


def _jpeg(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def plain_rate(sizes: Sizes) -> float:
    """Images a second of the loop of the paper's evaluator: DataLoader, DataParallel, float32."""
    model: nn.Module = nn.DataParallel(network(sizes)) if sizes.device.type == "cuda" else network(sizes)
    optimizer, clock = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.01), Clock(sizes)
    loader = DataLoader(
        Files(sizes), sizes.batch, shuffle=True, num_workers=sizes.workers, pin_memory=sizes.device.type == "cuda"
    )
    while clock.steps < sizes.steps:
        for pixels, labels in loader:
            logits = model(pixels.to(sizes.device, non_blocking=True))
            loss = F.cross_entropy(logits, labels.to(sizes.device, non_blocking=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            clock.advance(1)
            if clock.steps == sizes.steps:
                break
    return clock.rate()


def inversion(sizes: Sizes, precision: Precision, batch: int) -> tuple[float, float]:
    """Seconds of an iteration of ``sre2l``, and of a forward pass with the gradient of the images alone."""
    teacher, method = teacher_of(sizes), SRe2L()
    values = {**SRe2L.presets["imagenet-1k"].values, "iterations": sizes.inverted, "first_bn": 10.0}
    views = DifferentiableViews(method.ops(values, sizes.size, 0), size=sizes.size, shared=True)
    labels = torch.arange(batch, device=sizes.device) % sizes.classes
    start = torch.randn((batch, 3, sizes.size, sizes.size), generator=generator(0)).to(sizes.device)
    start = start.contiguous(memory_format=torch.channels_last)
    low, high = normalised_range(teacher.mean, teacher.std)

    def inverted() -> None:
        goal = Goal(1.0, {BATCHNORM.name: running_statistics(teacher.module)})
        turns = [Turn(StatisticsMatching(teacher.module, [BATCHNORM], [goal]))]
        seen = lambda images, iteration: views.render(images, ViewKey(0, iteration, 0))  # noqa: E731
        recover(start, labels, turns, method.recipe(values), view=seen, low=low, high=high)

    def bare() -> None:
        images = start.clone().requires_grad_()
        for _ in range(sizes.inverted):
            torch.autograd.grad(F.cross_entropy(teacher.module(images).float(), labels), images)

    with computing(sizes.device, precision):
        ours, plain = (min(_seconds(work, sizes.device) for _ in range(3)) for work in (inverted, bare))
    return ours / sizes.inverted, plain / sizes.inverted


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begun


def scoring(sizes: Sizes, precision: Precision) -> tuple[float, float]:
    """Crops a second that RDED scores, with their drawing, and with the teacher alone on ready crops."""
    data, teacher, side, count = images_of(sizes, sizes.files), teacher_of(sizes), sizes.size // 2, 5
    crop, rows = RandomResizedCrop(ratio=(1.0, 1.0)), torch.arange(sizes.files)
    ready = torch.zeros((sizes.files, 3, side, side), dtype=torch.uint8)

    def score() -> None:
        score_candidates(
            data, rows, 0, teacher, side=side, count=count, crop=crop, seed=0, workers=sizes.workers,
            precision=precision,
        )  # fmt: skip

    whole = min(_seconds(score, sizes.device) for _ in range(2))
    alone = min(_seconds(lambda: crop_losses(ready, 0, teacher, precision), sizes.device) for _ in range(2))
    return sizes.files * count / whole, sizes.files / alone


def share_of_peak(sizes: Sizes, rate: float) -> float | None:
    """Of the peak of bfloat16, what forward and backward passes of the student at a rate are."""
    if sizes.device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(sizes.device)
    peak = next((peak for known, peak in PEAKS.items() if known in name), None)
    counter = FlopCounterMode(display=False)
    with counter:
        network(sizes)(torch.zeros((1, 3, sizes.size, sizes.size), device=sizes.device)).sum().backward()
    return None if peak is None else counter.get_total_flops() * rate / peak


def online(sizes: Sizes) -> OnlineTargets:
    return OnlineTargets(Ensemble([teacher_of(sizes)]), lambda logits, soft, _: distillation(logits, soft, 20.0), None)


def measure_students(sizes: Sizes, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Images a second of the loop, of the bare step and of the paper's loop, and of soft labels asked aside or not."""
    found = {
        "loop": loop_rate(sizes, HardTargets(mix=None)),
        "bare": bare_rate(sizes),
        "plain": plain_rate(sizes),
        "online, aside": loop_rate(sizes, online(sizes)),
    }
    monkeypatch.setattr(rethinkdc.training.loop, "Aside", lambda _: None)
    return {**found, "online, in turn": loop_rate(sizes, online(sizes))}


@pytest.mark.gpu
@pytest.mark.benchmark
def test_a_student_is_trained_as_fast_as_its_bare_step(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure_students(ONE_GPU, monkeypatch)
    share = share_of_peak(ONE_GPU, found["loop"])
    print(f"\n{PROTOCOL}, batch {ONE_GPU.batch}, {torch.cuda.get_device_name()}, images a second:")
    print({name: round(rate) for name, rate in found.items()}, f"share of the peak: {share and round(share, 3)}")
    assert found["loop"] >= 0.95 * found["bare"]
    assert found["loop"] >= 4 * found["plain"]


@pytest.mark.gpu
@pytest.mark.benchmark
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_what_an_iteration_of_inversion_takes(precision: Precision) -> None:
    ours, plain = inversion(ONE_GPU, precision, 100)
    print(
        f"\nsre2l, 100 images of 224 px, {precision}: {1000 * ours:.1f} ms an iteration, network {1000 * plain:.1f} ms"
    )
    assert ours <= 1.25 * plain


@pytest.mark.gpu
@pytest.mark.benchmark
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_what_the_scores_of_crops_take(precision: Precision) -> None:
    whole, alone = scoring(ONE_GPU, precision)
    print(f"\nrded, crops of 112 px, {precision}: {whole:.0f} crops a second, the teacher alone {alone:.0f}")


def test_all_of_it_runs_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(rate > 0 for rate in measure_students(TINY, monkeypatch).values())
    assert all(seconds > 0 for precision in ("float32", "bf16") for seconds in inversion(TINY, precision, 2))
    assert all(rate > 0 for rate in scoring(TINY, "bf16"))
    assert share_of_peak(TINY, 1.0) is None
