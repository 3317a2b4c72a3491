"""Views per CPU second, against the usual Pillow pipeline measured beside them on one thread."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision import transforms

from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import CutMix, Flip, Normaliser, RandomResizedCrop, Views, render_crops

pytestmark = pytest.mark.benchmark
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNT = 64


class Stored:
    def __init__(self, pixels: Tensor) -> None:
        self.pixels: Tensor | None = pixels

    def __len__(self) -> int:
        return COUNT

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        assert self.pixels is not None
        return [self.pixels[row] for row in rows.tolist()]


def photographs(size: int) -> Tensor:
    """Squares cut out of two photographs and resized: uint8 [COUNT, 3, size, size], channels-last."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images]
    corners = (torch.rand(COUNT, 2, generator=generator) * torch.tensor([427 - 300, 640 - 300])).int().tolist()
    squares = [images[number % 2][:, y : y + 300, x : x + 300] for number, (y, x) in enumerate(corners)]
    return render_crops(squares, torch.tensor([[0, 0, 300, 300]] * COUNT), size)


def jpeg_bytes(image: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=90)
    return file.getvalue()


def pillow_epoch(pixels: Tensor, size: int) -> Callable[[], list[Tensor]]:
    """Views one by one as a dataset would make them; putting them together into a batch is not counted."""
    files = [jpeg_bytes(image) for image in pixels]
    view: Any = transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return lambda: [view(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]


def our_epoch(pixels: Tensor, size: int) -> Callable[[], Tensor]:
    store, normalise = Stored(pixels), Normaliser(MEAN, STD)
    views = Views([RandomResizedCrop(), Flip()], None, size=size, rule=ViewRule(), cell_boxes=None)
    rows = torch.arange(COUNT)
    return lambda: normalise(views.render(store, rows, rows, ViewKey(0, 0, 0)).pixels)


def cpu_seconds(epoch: Callable[[], object], repeats: int) -> float:
    """CPU seconds for one view: the best of ``repeats`` epochs, after one to warm up."""
    epoch()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        epoch()
        best = min(best, time.process_time() - start)
    return best / COUNT


@pytest.mark.parametrize(("size", "factor"), [(224, 4.0), (32, 5.0)])
def test_views_from_stored_images_are_several_times_faster_than_pillow(
    size: int, factor: float, one_thread: None, benchmark: Any
) -> None:
    pixels = photographs(size)
    baseline, ours = pillow_epoch(pixels, size), our_epoch(pixels, size)
    assert baseline()[0].shape == ours()[0].shape
    # Interleaved, so that a busy machine slows both down.
    rounds = [(cpu_seconds(baseline, 2), cpu_seconds(ours, 20)) for _ in range(3)]
    slow, fast = min(first for first, _ in rounds), min(second for _, second in rounds)
    benchmark.extra_info.update(pillow_views_per_second=1 / slow, views_per_second=1 / fast, ratio=slow / fast)
    benchmark.pedantic(ours, rounds=20)
    print(f"{size} px: {1 / fast:.0f} views per CPU second, Pillow {1 / slow:.0f}, ratio {slow / fast:.1f}")
    assert slow / fast >= factor


def test_views_inside_cells_with_cutmix_are_four_times_faster_than_pillow(one_thread: None, benchmark: Any) -> None:
    pixels, size = photographs(224), 224
    edges = [(0, 75), (75, 74), (149, 75)]
    cells = torch.tensor([[y, x, height, width] for y, height in edges for x, width in edges], dtype=torch.int32)
    views = Views([RandomResizedCrop(), Flip()], CutMix(), size=size, rule=ViewRule(scope="cell"), cell_boxes=cells)
    store, normalise, rows = Stored(pixels), Normaliser(MEAN, STD), torch.arange(COUNT)

    def ours() -> Tensor:
        return normalise(views.render(store, rows, rows, ViewKey(0, 0, 0)).pixels)

    slow, fast = cpu_seconds(pillow_epoch(pixels, size), 3), cpu_seconds(ours, 20)
    benchmark.extra_info.update(pillow_views_per_second=1 / slow, views_per_second=1 / fast, ratio=slow / fast)
    benchmark.pedantic(ours, rounds=20)
    assert slow / fast >= 4.0
