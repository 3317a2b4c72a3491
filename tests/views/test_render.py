"""The renderer equals Pillow's crop and resize, and sees nothing beside its box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from rethinkdc.views import RandomResizedCrop, render_crops, uniforms

FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
Filter = Literal["bilinear", "bicubic"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def pillow(source: Tensor, box: list[int], size: int, interpolation: Filter) -> Tensor:
    image = Image.fromarray(source.permute(1, 2, 0).contiguous().numpy())
    view = TF.resized_crop(image, *box, [size, size], FILTERS[interpolation])
    return torch.from_numpy(np.array(view)).permute(2, 0, 1)


def boxes_in(sources: list[Tensor], seed: int) -> Tensor:
    sizes = torch.tensor([source.shape[1:] for source in sources])
    drawn = uniforms(seed, "random-resized-crop", 0, 0, (len(sources), 22))
    return RandomResizedCrop().place(drawn, torch.empty(0), sizes)


def across_then_down(source: Tensor, box: list[int], size: int, interpolation: Filter) -> Tensor:
    """Pillow's result with the order of its two passes fixed; Pillow 13 and later choose it by the crop's shape."""
    top, left, height, width = box
    cut = source[:, top : top + height, left : left + width].permute(1, 2, 0).contiguous().numpy()
    chosen = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
    view = Image.fromarray(cut).resize((size, height), chosen).resize((size, size), chosen)
    return torch.from_numpy(np.array(view)).permute(2, 0, 1)


Reference = Callable[[Tensor, list[int], int, Filter], Tensor]


def difference(
    sources: list[Tensor], boxes: Tensor, size: int, interpolation: Filter, reference: Reference = pillow
) -> Tensor:
    views = render_crops(sources, boxes, size, interpolation)
    expected = [
        reference(source, box, size, interpolation) for source, box in zip(sources, boxes.tolist(), strict=True)
    ]
    assert views.dtype == torch.uint8
    assert views.is_contiguous(memory_format=torch.channels_last)
    return (views.int() - torch.stack(expected).int()).abs()


LAYOUTS = pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
SIZES = pytest.mark.parametrize(("stored", "size"), [(32, 32), (8, 32), (96, 32), (224, 61), (31, 64)])
SHAPES = [(17, 90), (90, 17), (1, 1), (1, 40), (40, 1), (64, 64), (200, 133), (48, 47)]


@LAYOUTS
@SIZES
def test_bilinear_views_of_noise_are_within_one_step_of_pillow(
    stored: int, size: int, layout: torch.memory_format
) -> None:
    sources = list(noise(40, 3, stored, stored).contiguous(memory_format=layout).unbind())
    assert difference(sources, boxes_in(sources, stored), size, "bilinear").max() <= 1


@LAYOUTS
@SIZES
def test_bicubic_views_of_noise_are_within_two_steps_of_pillow(
    stored: int, size: int, layout: torch.memory_format
) -> None:
    """White noise is the worst case: one step in the first pass is amplified by the second, in a few pixels."""
    sources = list(noise(40, 3, stored, stored).contiguous(memory_format=layout).unbind())
    steps = difference(sources, boxes_in(sources, stored), size, "bicubic", across_then_down)
    assert steps.max() <= 2
    assert steps.gt(1).float().mean() < 1e-3


@pytest.mark.parametrize("size", [32, 96, 224])
def test_views_of_photographs_are_pillows_but_for_single_steps(size: int) -> None:
    images = [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images] * 12
    boxes = boxes_in(images, size)
    assert difference(images, boxes, size, "bilinear").max() <= 1
    bicubic = difference(images, boxes, size, "bicubic", across_then_down)
    assert bicubic.max() <= 2
    assert bicubic.gt(1).float().mean() < 1e-4


def test_sources_of_any_shape_may_stand_in_one_batch() -> None:
    sources = [noise(3, *shape, seed=seed) for seed, shape in enumerate(SHAPES)]
    sources[1::2] = [source.permute(1, 2, 0).contiguous().permute(2, 0, 1) for source in sources[1::2]]
    whole = torch.tensor([[0, 0, *shape] for shape in SHAPES])
    assert difference(sources, whole, 48, "bilinear").max() <= 1
    assert difference(sources, boxes_in(sources, 0), 48, "bilinear").max() <= 1


def test_a_crop_of_the_views_size_is_copied() -> None:
    source = noise(3, 50, 60)
    boxes = torch.tensor([[7, 9, 32, 32], [18, 28, 32, 32]])
    views = render_crops([source, source], boxes, 32)
    assert torch.equal(views[0], source[:, 7:39, 9:41])
    assert torch.equal(views[1], source[:, 18:, 28:])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [9, 32, 90])
def test_nothing_beside_the_box_bleeds_into_a_view(size: int, interpolation: Filter) -> None:
    canvas = noise(3, 75, 75).contiguous()
    top, left, height, width = box = [25, 17, 26, 33]
    painted = []
    for colour in (0, 255):
        copy = torch.full_like(canvas, colour)
        copy[:, top : top + height, left : left + width] = canvas[:, top : top + height, left : left + width]
        painted.append(copy.permute(1, 2, 0).contiguous().permute(2, 0, 1))
    black, white = render_crops(painted, torch.tensor([box, box]), size, interpolation)
    assert torch.equal(black, white)
    assert black.float().std() > 1


def test_views_can_be_written_to_a_tensor_that_is_given() -> None:
    sources = list(noise(5, 3, 20, 20).unbind())
    boxes = boxes_in(sources, 1)
    out = torch.empty(5, 3, 16, 16, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    assert render_crops(sources, boxes, 16, out=out) is out
    assert torch.equal(out, render_crops(sources, boxes, 16))


def test_sources_are_left_as_they_were() -> None:
    source = noise(3, 20, 20)
    before = source.clone()
    render_crops([source], torch.tensor([[2, 3, 10, 9]]), 16)[:] = 0
    assert torch.equal(source, before)


def test_no_views_can_be_asked_for() -> None:
    assert render_crops([], torch.empty(0, 4, dtype=torch.int64), 8).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("box", [[0, 0, 21, 20], [-1, 0, 5, 5], [0, 5, 5, 16], [3, 3, 0, 4], [3, 3, 4, 0]])
def test_a_box_that_leaves_its_source_is_refused(box: list[int]) -> None:
    with pytest.raises(ValueError, match="20 x 20"):
        render_crops([noise(3, 20, 20)], torch.tensor([box]), 8)
