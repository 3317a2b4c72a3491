"""Whole images in the cells of a canvas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rethinkdc.combination.grid import cells_of, fill_canvases
from rethinkdc.compressed import grid_boxes
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import UnsupportedError
from rethinkdc.seeds import generator
from rethinkdc.testing import encoded, images
from rethinkdc.types import Budget, Fit, Interpolation

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def smooth(count: int, height: int, width: int) -> DecodedImages:
    """Images without hard edges, where every antialiased resize agrees to a rounding."""
    coarse = torch.rand((count, 3, 4, 4), generator=generator(1))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    pixels = (fine.clamp(0, 1) * 255).round().to(torch.uint8)
    return DecodedImages(pixels, torch.zeros(count, dtype=torch.int64), ("only",))


def by_pil(image: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    resized = picture.resize((width, height), FILTERS[interpolation])
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "grid"), [(32, 2), (32, 3), (10, 3), (17, 4), (12, 1)])
def test_each_cell_shows_its_image_as_pil_resizes_it(size: int, grid: int, interpolation: Interpolation) -> None:
    data = smooth(3 * grid**2, 29, 37)
    sources = torch.randperm(len(data), generator=generator(2)).view(3, grid**2)
    boxes = grid_boxes(size, grid)
    canvases, shown = fill_canvases(data, sources, boxes, size, "squash", interpolation)
    assert canvases.shape == (3, 3, size, size)
    assert canvases.is_contiguous(memory_format=torch.channels_last)
    for canvas, rows in zip(canvases, sources, strict=True):
        for (y, x, height, width), row in zip(boxes.tolist(), rows, strict=True):
            wanted = by_pil(data.pixels[row], height, width, interpolation)
            found = canvas[:, y : y + height, x : x + width]
            assert int((found.int() - wanted.int()).abs().max()) <= 1
    assert shown.tolist() == [[[0, 0, 29, 37]] * grid**2] * 3


def test_a_centre_crop_shows_the_middle_of_its_image() -> None:
    """A 20 x 40 image covers a 10 x 10 cell at half its size: columns 10 to 30 of the source are seen."""
    data = smooth(4, 20, 40)
    canvases, shown = fill_canvases(data, torch.arange(4)[None], grid_boxes(20, 2), 20, "centre", "bilinear")
    assert shown.tolist() == [[[0, 10, 20, 20]] * 4]
    for (y, x, height, width), row in zip(grid_boxes(20, 2).tolist(), range(4), strict=True):
        covering = by_pil(data.pixels[row], 10, 20, "bilinear")[:, :, 5:15]
        found = canvases[0, :, y : y + height, x : x + width]
        assert int((found.int() - covering.int()).abs().max()) <= 1


@pytest.mark.parametrize("fit", ["squash", "centre"])
def test_encoded_images_fill_the_same_canvases(fit: Fit) -> None:
    data = images(classes=1, per_class=8)
    sources = torch.arange(8).view(2, 4)
    boxes = grid_boxes(9, 2)
    decoded = fill_canvases(data, sources, boxes, 9, fit, "bilinear")
    streamed = fill_canvases(encoded(data), sources, boxes, 9, fit, "bilinear")
    assert torch.equal(decoded[0], streamed[0])
    assert torch.equal(decoded[1], streamed[1])


def test_picked_rows_are_grouped_by_class_in_pick_order() -> None:
    rows = torch.tensor([50, 10, 51, 11, 52, 12, 53, 13])
    targets = torch.tensor([1, 0, 1, 0, 1, 0, 1, 0])
    found = cells_of(rows, targets, Budget(ipc=2, classes=2, size=8), 2)
    assert found.tolist() == [[10, 11], [12, 13], [50, 51], [52, 53]]


def test_a_canvas_never_mixes_classes() -> None:
    with pytest.raises(UnsupportedError, match="exactly 2 rows of every class; the selector gave 1 to 3"):
        cells_of(torch.arange(4), torch.tensor([0, 0, 0, 1]), Budget(ipc=1, classes=2, size=8), 2)
