"""Images on a device: all of them or a batch's, the same to whoever asks."""

from __future__ import annotations

import pytest
import torch

from rethinkdc.data import CanvasStore, DecodedImages, DeviceStore, NativeStore, Store, device_store, place_store
from rethinkdc.seeds import generator

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ROWS = 150
PIXELS = torch.randint(0, 256, (ROWS, 3, 9, 12), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % 3, ("a", "b", "c"))
BYTES = ROWS * 3 * 8 * 8


@pytest.fixture
def no_gpu_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the CPU cut views as a GPU does; it has room for a hundred thousand bytes."""
    monkeypatch.setattr(device_store, "cuts_views", lambda _: True)
    monkeypatch.setattr(device_store, "free_memory", lambda _: 100_000)


@pytest.mark.parametrize("limit_bytes", [BYTES, BYTES - 1])
@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("workers", [0, 2])
def test_images_are_those_of_the_store_behind_wherever_they_wait(limit_bytes: int, kept: int, workers: int) -> None:
    behind = CanvasStore(IMAGES, 8, limit_bytes=kept)
    store = DeviceStore(behind, (8, 8), CPU, limit_bytes=limit_bytes, workers=workers)
    assert (store.pixels is not None) == (limit_bytes == BYTES)
    rows = torch.tensor([3, 149, 3, 0])
    gathered = store.gather(rows)
    assert gathered.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(gathered, torch.stack(list(behind.fetch(rows))))
    assert torch.equal(torch.stack(store.fetch(rows)), gathered)
    assert len(store) == ROWS
    assert store.gather(rows[:0]).shape == (0, 3, 8, 8)


def test_what_is_gathered_may_be_written_to() -> None:
    store = DeviceStore(NativeStore(IMAGES), (9, 12), CPU, limit_bytes=1 << 20)
    store.gather(torch.arange(2)).zero_()
    assert torch.equal(store.gather(torch.arange(2)), PIXELS[:2])
    assert torch.equal(IMAGES.pixels, PIXELS)


def test_a_store_is_read_as_it_is_where_the_cpu_cuts_views() -> None:
    store = CanvasStore(IMAGES, 8)
    assert place_store(store, CPU) is store
    assert device_store.cuts_views(CUDA)


@pytest.mark.usefixtures("no_gpu_needed")
@pytest.mark.parametrize(("rows", "resident"), [(208, True), (209, False)])
def test_two_fifths_of_the_free_memory_are_for_images(rows: int, resident: bool) -> None:
    images = DecodedImages(PIXELS.repeat(2, 1, 1, 1)[:rows], torch.zeros(rows, dtype=torch.int64), ("a",))
    placed = place_store(CanvasStore(images, 8), CPU)
    assert isinstance(placed, DeviceStore)
    assert (placed.pixels is not None) == resident


@pytest.mark.usefixtures("no_gpu_needed")
def test_images_of_several_sizes_are_left_to_the_cpu() -> None:
    class Several:
        pixels = None
        targets = IMAGES.targets

    store: Store = NativeStore(Several())  # type: ignore[arg-type]
    assert place_store(store, CPU) is store
    assert isinstance(place_store(NativeStore(IMAGES), CPU), DeviceStore)
