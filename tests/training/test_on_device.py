"""Trainings whose views are cut on the device: the same batches and nearly the same network, and no threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rethinkdc.training.loop
from rethinkdc.compressed import CompressedSet
from rethinkdc.data import CanvasStore, DecodedImages, DeviceStore, device_store
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.losses import distillation
from rethinkdc.labels.supervision import OnlineTargets
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.protocol.student import student_training
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, ahead, train_network
from rethinkdc.training.aside import Aside
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Supervision, ViewBatch, ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views

CPU, ROWS, CLASSES, SIZE = torch.device("cpu"), 20, 3, 16
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))


class Watching(HardTargets):
    """Hard targets that note each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[ViewBatch] = []

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        self.seen.append(batch)
        return super().targets(batch)


def train(
    store: CanvasStore | DeviceStore, supervision: Supervision, *, workers: int = 0, device: torch.device = CPU
) -> tuple[nn.Module, list[float]]:
    network = build_seeded(ConvNet(depth=2, width=8), CLASSES, SIZE, 0)
    views = Views((RandomResizedCrop(), Flip()), CutMix(), size=SIZE, rule=ViewRule(), cell_boxes=None)
    recipe = Recipe(epochs=3, batch=8)
    log = train_network(
        network, store, IMAGES.targets, views, supervision, recipe, recipe.length(ROWS), mean=(0.5,) * 3,
        std=(0.25,) * 3, seeds=LoopSeeds(1, 2, 3), device=device, workers=workers,
    )  # fmt: skip
    return network, log.curve


def placed(limit_bytes: int, device: torch.device = CPU) -> DeviceStore:
    return DeviceStore(CanvasStore(IMAGES, SIZE), (SIZE, SIZE), device, limit_bytes=limit_bytes)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().cpu() for parameter in network.parameters()])


def test_a_training_sees_the_batches_of_one_whose_views_the_cpu_cuts() -> None:
    usual, there = Watching(), Watching()
    (first, curve), (second, other) = train(CanvasStore(IMAGES, SIZE), usual), train(placed(1 << 30), there)
    assert len(usual.seen) == len(there.seen) == 9
    for one, two in zip(usual.seen, there.seen, strict=True):
        assert one.key == two.key
        assert torch.equal(one.rows, two.rows)
        assert (one.pixels.int() - two.pixels.int()).abs().max() <= 1
    assert other == pytest.approx(curve, abs=0.01)
    torch.testing.assert_close(weights(second), weights(first), rtol=0, atol=0.02)


def test_neither_room_nor_threads_change_a_bit() -> None:
    expected = weights(train(placed(1 << 30), HardTargets())[0])
    for limit, workers in ((1 << 30, 2), (0, 0), (0, 2)):
        assert torch.equal(weights(train(placed(limit), HardTargets(), workers=workers)[0]), expected)


@pytest.mark.parametrize(("limit_bytes", "threads"), [(1 << 30, 0), (0, 2)])
def test_threads_work_only_where_images_have_to_be_fetched(
    limit_bytes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def in_order(work: Callable[[Any], Any], items: Any, workers: int) -> Any:
        asked.append(workers)
        return ahead.in_order(work, items, workers)

    monkeypatch.setattr(rethinkdc.training.loop, "in_order", in_order)
    train(placed(limit_bytes), HardTargets(), workers=2)
    assert asked == [threads]


def test_the_student_of_a_set_has_its_images_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = Registry().protocols.find("digits-hard")
    compressed = CompressedSet.of_rows(IMAGES, torch.arange(6))
    assert isinstance(student_training(compressed, None, protocol, ipc=2).store, CanvasStore)
    monkeypatch.setattr(device_store, "cuts_views", lambda _: True)
    monkeypatch.setattr(device_store, "free_memory", lambda _: 1 << 20)
    store = student_training(compressed, None, protocol, ipc=2, device=CPU).store
    assert isinstance(store, DeviceStore)
    assert store.pixels is not None


def teacher_of(device: torch.device) -> OnlineTargets:
    view, module = TestView(resize=SIZE, size=SIZE), build_seeded(ConvNet(depth=2, width=8), CLASSES, SIZE, 1)
    teacher = Teacher("t", {}, module, (0.4,) * 3, (0.2,) * 3, SIZE, view, device)
    return OnlineTargets(Ensemble([teacher]), lambda logits, soft, _: distillation(logits, soft, 20), "protocol")


class Queue:
    """A stream of a GPU that writes down who waits for whom."""

    log: list[str] = []

    def __init__(self, _: torch.device, name: str = "aside") -> None:
        self.name = name

    def wait_stream(self, other: Queue) -> None:
        self.log.append(f"{self.name} waits for {other.name}")


def test_a_teacher_is_asked_aside_and_awaited_before_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    Queue.log, cuda = [], torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Queue)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Queue(device, "main"))
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(rethinkdc.training.loop, "Aside", lambda _: Aside(cuda))
    supervision = teacher_of(CPU)
    asked, told = supervision.targets, supervision.loss

    def targets(batch: ViewBatch) -> dict[str, Tensor]:
        Queue.log.append("asked")
        return asked(batch)

    def loss(logits: Tensor, wanted: dict[str, Tensor]) -> Tensor:
        Queue.log.append("loss")
        return told(logits, wanted)

    monkeypatch.setattr(supervision, "targets", targets)
    monkeypatch.setattr(supervision, "loss", loss)
    train(placed(1 << 30), supervision)
    assert Queue.log == 9 * ["aside waits for main", "asked", "main waits for aside", "loss"]


@pytest.mark.gpu
@pytest.mark.parametrize("limit_bytes", [1 << 30, 0])
def test_a_gpu_gives_the_same_bits_with_a_teacher_aside_and_wherever_pixels_wait(
    limit_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = torch.device("cuda")
    aside = weights(train(placed(limit_bytes, cuda), teacher_of(cuda), device=cuda)[0])
    monkeypatch.setattr(rethinkdc.training.loop, "Aside", lambda _: None)
    assert torch.equal(weights(train(placed(1 << 30, cuda), teacher_of(cuda), device=cuda)[0]), aside)
