"""What a training asks of a GPU, on one that is faked: within an epoch no step waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorDeviceMismatchError

import rethinkdc.training.loop
from rethinkdc.data import CanvasStore, DecodedImages, DeviceStore
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.losses import distillation
from rethinkdc.labels.supervision import OnlineTargets, StaticTargets
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.resnet_light import ResNetLight
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, train_network
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Supervision, ViewRule
from rethinkdc.views import CropPad, CutMix, Flip, RandomResizedCrop, Views
from tests.fake_gpu import CUDA, FakeGpu, fake_gpu

ROWS, CLASSES, SIZE, BATCH = 40, 3, 16, 8
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))


class Watched:
    """Progress that notes at the end of each step how often the host has waited."""

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.waits = gpu, list[int]()

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda done: self.waits.extend([len(self.gpu.waits)] * done)


class OnGpu(nn.Sequential):
    """A network on the fake GPU already."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False):
                module._parameters[name] = nn.Parameter(parameter.detach().to(CUDA))
            for name, buffer in module.named_buffers(recurse=False):
                module._buffers[name] = buffer.to(CUDA)

    def to(self, *_: Any, **__: Any) -> OnGpu:
        return self


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what asks the driver itself, once a training or for the generators of the device."""
    loop = rethinkdc.training.loop
    monkeypatch.setattr(loop, "reproducible", lambda _: nullcontext())
    monkeypatch.setattr(loop, "seed_noise", lambda *_: None)
    monkeypatch.setattr(loop, "Aside", lambda _: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    # Its threads are made by the driver; nothing of a student's backward pass is the framework's own.
    monkeypatch.setattr(torch.Tensor, "backward", lambda _: None)


def hard(_: FakeGpu) -> Supervision:
    return HardTargets()


def online(_: FakeGpu) -> Supervision:
    view = TestView(resize=SIZE, size=SIZE)
    teacher = Teacher(
        "t", {}, OnGpu(build_seeded(ResNetLight(), CLASSES, SIZE, 1)), (0.4,) * 3, (0.2,) * 3, SIZE, view, CUDA
    )
    return OnlineTargets(Ensemble([teacher]), lambda logits, soft, _: distillation(logits, soft, 20), "protocol")


def static(_: FakeGpu) -> Supervision:
    return StaticTargets(torch.zeros(ROWS, CLASSES).to(CUDA), 4, t_squared=True, mix="protocol", label_bytes=0)


@pytest.mark.usefixtures("no_driver")
@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize(
    ("supervise", "limit_bytes"), [(hard, 1 << 30), (hard, 0), (online, 1 << 30), (static, 1 << 30)]
)
def test_no_step_within_an_epoch_waits_for_the_gpu(
    supervise: Callable[[FakeGpu], Supervision], limit_bytes: int
) -> None:
    with fake_gpu() as gpu:
        store = DeviceStore(CanvasStore(IMAGES, SIZE), (SIZE, SIZE), CUDA, limit_bytes=limit_bytes)
        network, supervision = OnGpu(build_seeded(ResNetLight(), CLASSES, SIZE, 0)), supervise(gpu)
        views = Views(
            (RandomResizedCrop(), Flip(), CropPad(padding=2)), CutMix(), size=SIZE, rule=ViewRule(), cell_boxes=None
        )
        watched, recipe = Watched(gpu), Recipe(epochs=1, batch=BATCH)
        # The mean loss is read at the end of the epoch: a number, which a fake GPU does not have.
        with pytest.raises(DataDependentOutputException):
            train_network(
                network, store, IMAGES.targets, views, supervision, recipe, recipe.length(ROWS), mean=(0.5,) * 3,
                std=(0.25,) * 3, seeds=LoopSeeds(1, 2, 3), device=CUDA, workers=0, progress=watched,
            )  # fmt: skip
    assert len(watched.waits) == ROWS // BATCH - 1
    # In the first step networks send their means and deviations.
    assert set(watched.waits) == {watched.waits[0]}


def test_the_fake_gpu_sees_what_waits_and_refuses_what_a_gpu_refuses() -> None:
    with fake_gpu() as gpu:
        images, rows = torch.zeros(4, 3).to(CUDA, non_blocking=True), torch.arange(2)
        assert gpu.waits == []
        images[rows]
        images.to("cpu", non_blocking=True)
        torch.zeros(4).to(CUDA)
        assert gpu.waits == ["indices of the CPU", "a copy from cuda to cpu", "a copy from cpu to cuda"]
        with pytest.raises(FakeTensorDeviceMismatchError):
            images.index_select(0, rows)
        with pytest.raises(DataDependentOutputException):
            images.sum().item()
