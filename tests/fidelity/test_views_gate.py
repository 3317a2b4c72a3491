"""Views against a plain reference in Pillow and torchvision, given the same parameters: within 1/255.

The reference is written from the paper's protocol and shares no code with the package: a view is a random resized crop
(of the whole image, or inside one cell of its canvas), resized to the view's size with antialiased bilinear sampling,
perhaps mirrored; CutMix pastes one box for the whole batch out of another view.

Pillow and the package both round to whole steps after the pass across and again after the pass down. Where an exact tie
meets another one, two correct roundings are two steps apart: about one pixel in ten million. Such pixels may be at most
one in 100,000 here, and none may be further away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms import functional as TF

from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views, uniforms

COUNT = 24
KEYS = [ViewKey(seed, epoch, batch) for seed, epoch, batch in ((0, 0, 0), (1, 5, 2), (2**62, 299, 7))]


class Held:
    def __init__(self, images: list[Tensor]) -> None:
        self.images = images
        self.pixels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        return [self.images[row] for row in rows.tolist()]


def cut_photographs(shapes: list[tuple[int, int]]) -> list[Image.Image]:
    """Parts of two real photographs, one for each (height, width)."""
    whole = [Image.fromarray(image) for image in load_sample_images().images]
    parts = []
    for number, (height, width) in enumerate(shapes):
        left, top = (37 * number) % (641 - width), (53 * number) % (428 - height)
        parts.append(whole[number % 2].crop((left, top, left + width, top + height)))
    return parts


def as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def grid_of(grid: int, size: int) -> list[tuple[int, int, int, int]]:
    """Cells (y, x, height, width) with edges at round(i S / g)."""
    edges = [round(i * size / grid) for i in range(grid + 1)]
    return [
        (edges[row], edges[column], edges[row + 1] - edges[row], edges[column + 1] - edges[column])
        for row in range(grid)
        for column in range(grid)
    ]


def canvases_of(grid: int, size: int) -> list[Image.Image]:
    """Whole photographs resized into the cells of a canvas, crop-free."""
    sources = cut_photographs([(200, 260)] * (COUNT * grid * grid))
    canvases = []
    for number in range(COUNT):
        canvas = Image.new("RGB", (size, size))
        for cell, (y, x, height, width) in enumerate(grid_of(grid, size)):
            part = sources[number * grid * grid + cell]
            canvas.paste(part.resize((width, height), Image.Resampling.BILINEAR), (x, y))
        canvases.append(canvas)
    return canvases


def drawn_boxes(op: RandomResizedCrop, scenes: list[tuple[int, int, int, int]], key: ViewKey) -> list[list[int]]:
    """The crop parameters the package draws inside each scene, moved to the scene's corner."""
    sizes = torch.tensor([[height, width] for _, _, height, width in scenes])
    per_view = uniforms(key.seed, "random-resized-crop", key.epoch, key.batch, (len(scenes), 22))
    boxes = op.place(per_view, torch.empty(0, dtype=torch.float64), sizes).tolist()
    return [[box[0] + scene[0], box[1] + scene[1], box[2], box[3]] for box, scene in zip(boxes, scenes, strict=True)]


def reference_views(images: list[Image.Image], boxes: list[list[int]], size: int, key: ViewKey) -> list[Image.Image]:
    mirrored = uniforms(key.seed, "flip", key.epoch, key.batch, (len(images), 1))[:, 0] < 0.5
    assert 0 < int(mirrored.sum()) < len(images)
    views = []
    for image, (top, left, height, width), mirror in zip(images, boxes, mirrored.tolist(), strict=True):
        part = image.crop((left, top, left + width, top + height))
        view = part.resize((size, size), Image.Resampling.BILINEAR)
        views.append(TF.hflip(view) if mirror else view)
    return views


def package_views(
    images: list[Image.Image],
    size: int,
    key: ViewKey,
    rule: ViewRule | None = None,
    cells: list[tuple[int, int, int, int]] | None = None,
    mix: CutMix | None = None,
) -> ViewBatch:
    made = Views(
        [RandomResizedCrop(), Flip()],
        mix,
        size=size,
        rule=rule or ViewRule(),
        cell_boxes=None if cells is None else torch.tensor(cells, dtype=torch.int32),
    )
    rows = torch.arange(len(images))
    return made.render(Held([as_tensor(image) for image in images]), rows, rows, key)


def assert_within_one_step(views: Tensor, expected: list[Image.Image]) -> None:
    reference = torch.stack([TF.to_tensor(image) for image in expected])
    steps = ((views.float() / 255 - reference).abs() * 255).round()
    assert steps.max() <= 2
    assert steps.gt(1).float().mean() <= 1e-5
    # The gate would be empty if the views hardly differed from each other.
    assert (reference[0] - reference[1]).abs().mean() > 0.01


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [32, 224])
def test_hard_views_of_whole_canvases(size: int, key: ViewKey) -> None:
    images = [image.resize((size, size), Image.Resampling.BILINEAR) for image in cut_photographs([(200, 260)] * COUNT)]
    boxes = drawn_boxes(RandomResizedCrop(), [(0, 0, size, size)] * COUNT, key)
    assert_within_one_step(package_views(images, size, key).pixels, reference_views(images, boxes, size, key))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [32, 224])
@pytest.mark.parametrize("grid", [2, 3])
def test_views_inside_the_cells_of_a_grid(grid: int, size: int, key: ViewKey) -> None:
    images, cells = canvases_of(grid, size), grid_of(grid, size)
    chosen = (uniforms(key.seed, "cell", key.epoch, key.batch, (COUNT,)) * len(cells)).long().tolist()
    assert len(set(chosen)) > 2
    boxes = drawn_boxes(RandomResizedCrop(), [cells[cell] for cell in chosen], key)
    views = package_views(images, size, key, ViewRule(scope="cell"), cells).pixels
    assert_within_one_step(views, reference_views(images, boxes, size, key))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [64, 224])
def test_views_of_images_at_their_native_sizes(size: int, key: ViewKey) -> None:
    shapes = [(40 + 13 * number, 380 - 11 * number) for number in range(COUNT)]
    images = cut_photographs(shapes)
    boxes = drawn_boxes(RandomResizedCrop(), [(0, 0, *shape) for shape in shapes], key)
    assert_within_one_step(package_views(images, size, key).pixels, reference_views(images, boxes, size, key))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("grid", [1, 2])
def test_views_mixed_by_cutmix(grid: int, key: ViewKey) -> None:
    size = 96
    images, cells = canvases_of(grid, size), grid_of(grid, size)
    batch = package_views(images, size, key, ViewRule(scope="cell"), cells, CutMix())
    chosen = (uniforms(key.seed, "cell", key.epoch, key.batch, (COUNT,)) * len(cells)).long().tolist()
    boxes = drawn_boxes(RandomResizedCrop(), [cells[cell] for cell in chosen], key)
    views = reference_views(images, boxes, size, key)
    drawn = uniforms(key.seed, "cutmix", key.epoch, key.batch, (3 + COUNT,))
    partners = sorted(range(COUNT), key=lambda view: float(drawn[3 + view]))
    kept, centre_y, centre_x = float(drawn[0]), int(drawn[1] * size), int(drawn[2] * size)
    half = int(size * (1 - kept) ** 0.5) // 2
    top, bottom = max(centre_y - half, 0), min(centre_y + half, size)
    left, right = max(centre_x - half, 0), min(centre_x + half, size)
    assert (bottom - top) * (right - left) > 100
    mixed = []
    for view, partner in zip(views, partners, strict=True):
        canvas = view.copy()
        canvas.paste(views[partner].crop((left, top, right, bottom)), (left, top))
        mixed.append(canvas)
    assert batch.partner_rows is not None
    assert batch.area is not None
    assert batch.partner_rows.tolist() == partners
    assert batch.area.tolist() == pytest.approx([(bottom - top) * (right - left) / size**2] * COUNT)
    assert_within_one_step(batch.pixels, mixed)
