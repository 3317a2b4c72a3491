"""The matrix renderer equals torch's antialiased resampling and the CPU renderer, with gradients of any order."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.views import RandomResizedCrop, matrix_crops, render_crops, uniforms
from rethinkdc.views.matrix import resampling

Filter = Literal["bilinear", "bicubic"]
FILTERS = pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
SIZES = pytest.mark.parametrize(("stored", "size"), [(32, 32), (8, 32), (96, 32), (31, 64), (64, 9)])


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def boxes_in(count: int, height: int, width: int) -> Tensor:
    drawn = uniforms(height, "random-resized-crop", 0, 0, (count, 22))
    return RandomResizedCrop().place(drawn, torch.empty(0), torch.tensor([[height, width]] * count))


def interpolated(images: Tensor, boxes: Tensor, size: int, interpolation: Filter) -> Tensor:
    views = [
        F.interpolate(image[None, :, y : y + h, x : x + w], size=(size, size), mode=interpolation, antialias=True)
        for image, (y, x, h, w) in zip(images, boxes.tolist(), strict=True)
    ]
    return torch.cat(views)


@FILTERS
@SIZES
def test_crops_of_floats_equal_torch_interpolate_of_each_crop(stored: int, size: int, interpolation: Filter) -> None:
    images = noise(20, 3, stored, stored + 5)
    boxes = boxes_in(20, stored, stored + 5)
    boxes[:3] = torch.tensor([[0, 0, stored, stored + 5], [stored - 1, 2, 1, 1], [1, 0, 3, stored]])
    expected = interpolated(images, boxes, size, interpolation)
    views = matrix_crops(images, boxes, size, interpolation)
    torch.testing.assert_close(views, expected, rtol=0, atol=1e-12)
    single = matrix_crops(images.float(), boxes, size, interpolation)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-5)


@SIZES
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_bilinear_crops_of_bytes_are_within_one_step_of_the_cpu_renderer(
    stored: int, size: int, layout: torch.memory_format
) -> None:
    pixels = (noise(40, 3, stored, stored) * 256).to(torch.uint8).contiguous(memory_format=layout)
    boxes = boxes_in(40, stored, stored)
    views = matrix_crops(pixels, boxes, size)
    assert views.dtype == torch.uint8
    expected = render_crops(list(pixels), boxes, size)
    steps = (views.int() - expected.int()).abs()
    assert steps.max() <= 1
    assert steps.float().mean() < 0.01
    assert (matrix_crops(pixels.double(), boxes, size) - expected).abs().max() <= 1 + 1e-9


@SIZES
def test_bicubic_crops_of_bytes_are_within_two_steps_of_the_cpu_renderer(stored: int, size: int) -> None:
    pixels = (noise(40, 3, stored, stored) * 256).to(torch.uint8)
    boxes = boxes_in(40, stored, stored)
    steps = matrix_crops(pixels, boxes, size, "bicubic").int() - render_crops(list(pixels), boxes, size, "bicubic")
    assert steps.abs().max() <= 2
    assert steps.abs().float().mean() < 0.01


@FILTERS
def test_one_box_for_all_gives_what_a_box_for_each_would(interpolation: Filter) -> None:
    images, box = noise(5, 3, 12, 15), torch.tensor([[2, 3, 7, 9]])
    shared = matrix_crops(images, box, 8, interpolation)
    torch.testing.assert_close(shared, matrix_crops(images, box.expand(5, 4), 8, interpolation), rtol=0, atol=1e-12)


def test_one_box_for_all_makes_one_matrix_for_each_axis_of_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(starts: Tensor, lengths: Tensor, extent: int, size: int, interpolation: Filter) -> Tensor:
        made.append((len(starts), extent))
        return resampling(starts, lengths, extent, size, interpolation)

    monkeypatch.setattr("rethinkdc.views.matrix.resampling", counted)
    matrix_crops(noise(50, 3, 12, 15), torch.tensor([[2, 3, 7, 9]]), 8, chunk_bytes=100_000)
    assert made == [(1, 7), (1, 9)]


def test_a_box_of_the_views_size_is_copied_bit_for_bit() -> None:
    images = noise(2, 3, 20, 20).float()
    views = matrix_crops(images, torch.tensor([[3, 4, 8, 8], [12, 12, 8, 8]]), 8)
    assert torch.equal(views[0], images[0, :, 3:11, 4:12])
    assert torch.equal(views[1], images[1, :, 12:, 12:])


@FILTERS
def test_nothing_beside_the_box_bleeds_into_a_view(interpolation: Filter) -> None:
    images, boxes = noise(2, 3, 20, 20), torch.tensor([[5, 6, 7, 9], [0, 11, 20, 9]])
    painted = torch.full_like(images, 1e6)
    for image, copy, (y, x, h, w) in zip(images, painted, boxes.tolist(), strict=True):
        copy[:, y : y + h, x : x + w] = image[:, y : y + h, x : x + w]
    assert torch.equal(matrix_crops(images, boxes, 8, interpolation), matrix_crops(painted, boxes, 8, interpolation))


@FILTERS
def test_matrices_have_weights_in_their_box_alone_that_add_up_to_one(interpolation: Filter) -> None:
    matrices = resampling(torch.tensor([0, 4]), torch.tensor([10, 3]), 10, 6, interpolation)
    torch.testing.assert_close(matrices.sum(2), torch.ones(2, 6, dtype=torch.float64))
    assert not matrices[1, :, :4].any()
    assert not matrices[1, :, 7:].any()


def test_a_matrix_worked_by_hand() -> None:
    """Four pixels to two: centres 1 and 3, a triangle of half-width 2, cut off at the border."""
    (matrix,) = resampling(torch.tensor([0]), torch.tensor([4]), 4, 2, "bilinear")
    expected = torch.tensor([[3.0, 3, 1, 0], [0, 1, 3, 3]], dtype=torch.float64) / 7
    torch.testing.assert_close(matrix, expected)


@pytest.mark.parametrize("shared", [False, True])
def test_parts_of_a_batch_are_put_together_in_order(shared: bool) -> None:
    images, boxes = noise(7, 3, 10, 12), boxes_in(7, 10, 12)[: 1 if shared else 7]
    whole = matrix_crops(images, boxes, 6)
    for limit in (1, 20_000, 60_000):
        torch.testing.assert_close(matrix_crops(images, boxes, 6, chunk_bytes=limit), whole, rtol=0, atol=1e-12)


def test_the_limit_decides_how_many_images_are_rendered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def counted(starts: Tensor, lengths: Tensor, extent: int, size: int, interpolation: Filter) -> Tensor:
        counts.append(len(starts))
        return resampling(starts, lengths, extent, size, interpolation)

    monkeypatch.setattr("rethinkdc.views.matrix.resampling", counted)
    held = []
    for limit in (1, 200_000, 10_000_000):
        counts.clear()
        matrix_crops(noise(40, 3, 10, 12), boxes_in(40, 10, 12), 6, chunk_bytes=limit)
        held.append(max(counts))
    assert held[0] == 1
    assert held[2] == 40
    assert all(first < second for first, second in pairwise(held))


@FILTERS
@pytest.mark.parametrize("boxes", [[[0, 1, 4, 3], [1, 0, 2, 4]], [[1, 1, 3, 3]]])
def test_gradients_of_both_orders_are_right(boxes: list[list[int]], interpolation: Filter) -> None:
    images = noise(2, 3, 4, 4).requires_grad_()

    def crops(images: Tensor) -> Tensor:
        return matrix_crops(images, torch.tensor(boxes), 3, interpolation)

    assert torch.autograd.gradcheck(crops, (images,))
    assert torch.autograd.gradgradcheck(lambda images: crops(images).square(), (images,))


def test_autocast_does_not_coarsen_views() -> None:
    images, boxes = noise(4, 3, 16, 16).float(), boxes_in(4, 16, 16)
    for chosen in (boxes, boxes[:1]):
        plain = matrix_crops(images, chosen, 8)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(matrix_crops(images, chosen, 8), plain)
    half = matrix_crops(images.bfloat16(), boxes, 8)
    assert half.dtype == torch.bfloat16


def test_no_views_can_be_asked_for() -> None:
    none = matrix_crops(torch.empty(0, 3, 9, 9), torch.empty(0, 4, dtype=torch.int64), 8)
    assert none.shape == (0, 3, 8, 8)
    assert matrix_crops(torch.empty(0, 3, 9, 9), torch.tensor([[0, 0, 9, 9]]), 8).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("box", [[0, 0, 21, 20], [-1, 0, 5, 5], [0, 5, 5, 16], [3, 3, 0, 4], [3, 3, 4, 0]])
def test_a_box_that_leaves_its_image_is_refused(box: list[int]) -> None:
    with pytest.raises(ValueError, match="20 x 20"):
        matrix_crops(noise(1, 3, 20, 20), torch.tensor([box]), 8)
    with pytest.raises(ValueError, match="3 images need 3 boxes, or one for all; found 2"):
        matrix_crops(noise(3, 3, 20, 20), torch.tensor([[0, 0, 5, 5]] * 2), 8)


@pytest.mark.gpu
@FILTERS
def test_a_gpu_gives_the_cpus_crops_and_repeats_its_gradients(interpolation: Filter) -> None:
    images, boxes = noise(20, 3, 40, 40).float(), boxes_in(20, 40, 40)
    found = []
    for _ in range(2):
        copies = images.cuda().requires_grad_()
        views = matrix_crops(copies, boxes, 32, interpolation)
        views.square().sum().backward()
        assert copies.grad is not None
        found.append(copies.grad)
        torch.testing.assert_close(views.detach().cpu(), matrix_crops(images, boxes, 32, interpolation))
    assert torch.equal(found[0], found[1])
