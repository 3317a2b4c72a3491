from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Resize

from rethinkdc.data import kept_boxes, resize
from rethinkdc.data.resize import channels_last
from rethinkdc.types import Fit, Interpolation

PIL_FILTER = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
SHAPES = [(32, 32), (37, 53), (120, 41), (7, 9)]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))


def as_pil(image: Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def pil_columns_first(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Image.Image:
    """PIL's resize as two passes in a stated order: left to itself it picks the order by cost, by release."""
    columns = as_pil(image).resize((size[1], image.shape[1]), PIL_FILTER[interpolation])
    return columns.resize((size[1], size[0]), PIL_FILTER[interpolation])


def assert_close(ours: Tensor, theirs: Tensor, *, passes: int) -> None:
    """Each pass rounds once, so it may be off by 1; more than 1 in all must be rare."""
    assert ours.shape == theirs.shape
    distance = (ours.int() - theirs.int()).abs()
    assert int(distance.max()) <= passes
    assert float((distance > 1).float().mean()) < 0.002


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [11, 64])
def test_one_pass_is_pils_antialiased_resize_within_1(
    shape: tuple[int, int], side: int, interpolation: Interpolation
) -> None:
    image = noise(3, *shape)
    for size in [(shape[0], side), (side, shape[1])]:
        theirs = as_pil(image).resize((size[1], size[0]), PIL_FILTER[interpolation])
        assert_close(resize([image], size, "squash", interpolation)[0], as_tensor(theirs), passes=1)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(16, 16), (33, 20), (64, 64)])
def test_squash_is_pils_columns_then_rows(
    shape: tuple[int, int], size: tuple[int, int], interpolation: Interpolation
) -> None:
    image = noise(3, *shape)
    theirs = pil_columns_first(image, size, interpolation)
    assert_close(resize([image], size, "squash", interpolation)[0], as_tensor(theirs), passes=2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(16, 16), (33, 20), (64, 64)])
def test_bilinear_squash_is_pils_own_resize_in_whatever_order(shape: tuple[int, int], size: tuple[int, int]) -> None:
    """Bilinear weights are never negative, so nothing is clipped between the passes and their order hardly matters."""
    image = noise(3, *shape)
    theirs = as_pil(image).resize((size[1], size[0]), PIL_FILTER["bilinear"])
    assert_close(resize([image], size)[0], as_tensor(theirs), passes=2)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [*SHAPES, (50, 101), (101, 50), (224, 223)])
@pytest.mark.parametrize("size", [15, 16, 64])
def test_centre_is_torchvisions_resize_and_centre_crop(
    shape: tuple[int, int], size: int, interpolation: Interpolation
) -> None:
    image = noise(3, *shape)
    width, height = Resize(size)(as_pil(image)).size
    theirs = CenterCrop(size)(pil_columns_first(image, (height, width), interpolation))
    assert_close(resize([image], (size, size), "centre", interpolation)[0], as_tensor(theirs), passes=2)


@pytest.mark.parametrize("fit", ["squash", "centre"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_call_and_one_by_one_give_the_same_bits(
    shape: tuple[int, int], interpolation: Interpolation, fit: Fit
) -> None:
    images = noise(6, 3, *shape)
    together = resize(images, (16, 16), fit, interpolation)
    assert torch.equal(together, resize(list(images), (16, 16), fit, interpolation))
    alone = torch.cat([resize(image[None], (16, 16), fit, interpolation) for image in images])
    assert torch.equal(together, alone)
    mixed = resize([*images, noise(3, 5, 5)], (16, 16), fit, interpolation)
    assert torch.equal(together, mixed[:6])


def test_the_memory_layout_of_the_source_does_not_change_the_bits() -> None:
    images = noise(4, 3, 37, 53)
    assert torch.equal(resize(images.contiguous(), (16, 16)), resize(channels_last(images), (16, 16)))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_results_are_channels_last(count: int) -> None:
    for images in (noise(count, 3, 9, 8), list(noise(count, 3, 9, 8))):
        for fit in ("squash", "centre"):
            made = resize(images, (4, 4), fit)
            assert made.shape == (count, 3, 4, 4)
            assert made.dtype == torch.uint8
            assert made.permute(0, 2, 3, 1).is_contiguous()


def test_images_of_the_right_size_are_not_copied() -> None:
    images = channels_last(noise(3, 3, 8, 8))
    assert resize(images, (8, 8)).data_ptr() == images.data_ptr()


def test_kept_boxes_of_squash_are_whole_images() -> None:
    sizes = torch.tensor([[10, 20], [7, 3]])
    assert kept_boxes(sizes, (5, 5), "squash").tolist() == [[0, 0, 10, 20], [0, 0, 7, 3]]


def test_kept_boxes_of_centre_are_worked_by_hand() -> None:
    # 100 x 50 covers 10 x 10 as 20 x 10; the crop begins at row 5, and a row is 5 source pixels.
    # 30 x 31 covers 30 x 30 as it is; (31 - 30) / 2 = 0.5 rounds to the even 0.
    sizes = torch.tensor([[100, 50], [50, 100]])
    boxes = kept_boxes(sizes, (10, 10), "centre")
    assert boxes.dtype == torch.int32
    assert boxes.tolist() == [[25, 0, 50, 50], [0, 25, 50, 50]]
    assert kept_boxes(torch.tensor([[30, 31]]), (30, 30), "centre").tolist() == [[0, 0, 30, 30]]


def test_a_centre_canvas_shows_its_kept_box() -> None:
    """Pixels outside the kept box, with a filter's reach around it, do not matter; those inside do."""
    image = noise(3, 96, 40)
    y, x, height, width = kept_boxes(torch.tensor([[96, 40]]), (20, 20), "centre")[0].tolist()
    outside = image.clone()
    outside[:, : y - 4] = 0
    outside[:, y + height + 4 :] = 0
    assert torch.equal(resize([image], (20, 20), "centre"), resize([outside], (20, 20), "centre"))
    inside = image.clone()
    inside[:, y : y + height, x : x + width] = 0
    assert int(resize([inside], (20, 20), "centre")[0, :, 2:-2].max()) == 0


def test_kept_boxes_stay_inside_their_images() -> None:
    sizes = torch.randint(1, 500, (2000, 2), generator=torch.Generator().manual_seed(0))
    for size in [(7, 7), (32, 32), (224, 224), (20, 33)]:
        y, x, height, width = kept_boxes(sizes, size, "centre").unbind(1)
        assert (torch.stack([y, x]) >= 0).all()
        assert (y + height <= sizes[:, 0]).all()
        assert (x + width <= sizes[:, 1]).all()
        assert (torch.stack([height, width]) >= 0).all()
