"""Shuffled strips, against strips cut and laid by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import Flip, RandomResizedCrop, ShufflePatches, ViewOp, Views, render_crops, uniforms

KEY = ViewKey(seed=7, epoch=3, batch=2)
NONE = torch.empty(0, dtype=torch.float64)


class Held:
    def __init__(self, images: Tensor | list[Tensor]) -> None:
        self.images = images
        self.pixels = images if isinstance(images, Tensor) else None

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        return [self.images[row] for row in rows.tolist()]


def numbered(count: int, height: int, width: int) -> Tensor:
    """Images without two equal pixels: the three channels are the image, the row and the column."""
    image = torch.arange(count)[:, None, None].expand(count, height, width)
    row = torch.arange(height)[None, :, None].expand(count, height, width)
    column = torch.arange(width)[None, None, :].expand(count, height, width)
    pixels = torch.stack([image, row, column], dim=1).to(torch.uint8)
    return pixels.contiguous(memory_format=torch.channels_last)


def by_hand(image: Tensor, columns: list[int], rows: list[int]) -> Tensor:
    """Cuts [3, h, w] into strips and joins them in the given orders, columns first."""
    for order, axis in ((columns, 2), (rows, 1)):
        length, factor = image.shape[axis], len(order)
        edges = [(2 * i * length + factor) // (2 * factor) for i in range(factor + 1)]
        strips = [image.narrow(axis, first, last - first) for first, last in pairwise(edges)]
        image = torch.cat([strips[i] for i in order], dim=axis)
    return image


def drawn_orders(factor: int, count: int, key: ViewKey, stream: str = "shuffle-patches") -> list[list[list[int]]]:
    """The columns' and the rows' order of each view, sorted from the stream's uniforms without the package."""
    drawn = uniforms(key.seed, stream, key.epoch, key.batch, (count, 2, factor)).tolist()
    return [[sorted(range(factor), key=axis.__getitem__) for axis in view] for view in drawn]


def views(*ops: ViewOp, size: int, rule: ViewRule | None = None, cells: Tensor | None = None) -> Views:
    return Views(ops, None, size=size, rule=rule or ViewRule(), cell_boxes=cells)


def rendered(made: Views, store: Held, key: ViewKey = KEY) -> Tensor:
    rows = torch.arange(len(store))
    return made.render(store, rows, rows, key).pixels


def test_a_small_image_is_shuffled_as_worked_by_hand() -> None:
    pixels = torch.arange(9, dtype=torch.uint8).view(1, 1, 3, 3).repeat(1, 3, 1, 1)
    # Edges at 0, 2, 3: the strips are two pixels and one pixel wide. Only the columns change places, then only the
    # rows, then both.
    expected = [
        ([1, 0], [0, 1], [[2, 0, 1], [5, 3, 4], [8, 6, 7]]),
        ([0, 1], [1, 0], [[6, 7, 8], [0, 1, 2], [3, 4, 5]]),
        ([1, 0], [1, 0], [[8, 6, 7], [2, 0, 1], [5, 3, 4]]),
    ]
    for columns, rows, result in expected:
        shuffled = ShufflePatches().render(pixels, torch.tensor([[columns, rows]]))
        assert shuffled[0].tolist() == [result] * 3


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 7), (10, 6), (5, 9)])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_strips_are_cut_and_joined_like_the_reference(factor: int, height: int, width: int) -> None:
    op, pixels = ShufflePatches(factor=factor), numbered(20, height, width)
    per_view = uniforms(0, "shuffle-patches", 0, 0, (20, op.view_uniforms))
    shuffled = op.render(pixels.clone(), op.place(per_view, NONE, torch.tensor([[height, width]] * 20)))
    for image, result, (columns, rows) in zip(
        pixels, shuffled, drawn_orders(factor, 20, ViewKey(0, 0, 0)), strict=True
    ):
        assert torch.equal(result, by_hand(image, columns, rows))
    assert shuffled.is_contiguous(memory_format=torch.channels_last)
    assert shuffled.dtype == torch.uint8


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 7, 40])
def test_every_pixel_survives_exactly_once(factor: int) -> None:
    op, pixels = ShufflePatches(factor=factor), numbered(6, 32, 32)
    per_view = uniforms(1, "shuffle-patches", 0, 0, (6, op.view_uniforms))
    shuffled = op.render(pixels.clone(), op.place(per_view, NONE, torch.tensor([[32, 32]] * 6)))
    for number, view in enumerate(shuffled):
        found = {tuple(pixel) for pixel in view.flatten(1).T.tolist()}
        assert found == {(number, row, column) for row in range(32) for column in range(32)}
    assert torch.equal(shuffled, pixels) == (factor == 1)


def test_views_draw_an_order_each_and_all_orders_are_equally_likely() -> None:
    op = ShufflePatches(factor=3)
    placed = op.place(uniforms(0, "shuffle-patches", 0, 0, (6000, 6)), NONE, torch.tensor([[32, 32]] * 6000))
    orders, counts = placed.flatten(1).unique(dim=0, return_counts=True)
    assert len(orders) == 36
    assert 110 < int(counts.min()) < int(counts.max()) < 230


def test_among_the_pixel_ops_finished_views_are_shuffled() -> None:
    store = Held(numbered(12, 40, 40))
    crop = RandomResizedCrop()
    plain = rendered(views(crop, size=32), store)
    shuffled = rendered(views(crop, ShufflePatches(), size=32), store)
    for view, result, (columns, rows) in zip(plain, shuffled, drawn_orders(2, 12, KEY), strict=True):
        assert torch.equal(result, by_hand(view, columns, rows))


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(("height", "width", "factor"), [(40, 40, 2), (41, 29, 3)])
def test_before_the_crop_the_crop_is_cut_out_of_the_shuffled_image(
    height: int, width: int, factor: int, listed: bool
) -> None:
    images, crop = numbered(12, height, width), RandomResizedCrop()
    store = Held(list(images) if listed else images)
    made = views(ShufflePatches(factor=factor), crop, Flip(p=0.0), size=24)
    orders = drawn_orders(factor, 12, KEY)
    shuffled = [by_hand(image, *order) for image, order in zip(images, orders, strict=True)]
    # The crop draws what it draws without the shuffle.
    sizes, rows = torch.tensor([[height, width]] * 12), torch.arange(12)
    boxes = views(crop, size=24).boxes(sizes, rows, KEY)
    assert torch.equal(rendered(made, store), render_crops(shuffled, boxes, 24))
    assert torch.equal(images, numbered(12, height, width))


def test_before_and_after_the_crop_it_draws_twice() -> None:
    images, crop = numbered(12, 32, 32), RandomResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0))
    found = rendered(views(ShufflePatches(), crop, ShufflePatches(), size=32), Held(images))
    once, again = drawn_orders(2, 12, KEY), drawn_orders(2, 12, KEY, "shuffle-patches#2")
    assert once != again
    for image, result, first, second in zip(images, found, once, again, strict=True):
        assert torch.equal(result, by_hand(by_hand(image, *first), *second))


def test_a_batch_of_no_views_can_be_rendered() -> None:
    made = views(ShufflePatches(), RandomResizedCrop(), size=32)
    none = torch.empty(0, dtype=torch.int64)
    assert made.render(Held(numbered(2, 32, 32)), none, none, KEY).pixels.shape == (0, 3, 32, 32)


def test_images_of_several_sizes_cannot_be_shuffled_before_the_crop() -> None:
    images = [numbered(1, 40, 30)[0], numbered(1, 32, 32)[0]]
    with pytest.raises(RequestError, match=r"images of one size; found \(32, 32\) and \(40, 30\)"):
        rendered(views(ShufflePatches(), RandomResizedCrop(), size=32), Held(images))
    assert rendered(views(RandomResizedCrop(), ShufflePatches(), size=32), Held(images)).shape == (2, 3, 32, 32)


def test_cells_cannot_be_shuffled_before_the_crop() -> None:
    rule, cells = ViewRule(scope="cell"), torch.tensor([[0, 0, 16, 32], [16, 0, 16, 32]], dtype=torch.int32)
    with pytest.raises(RequestError, match="'shuffle-patches' comes before the crop and would mix the cells"):
        views(ShufflePatches(), RandomResizedCrop(), size=32, rule=rule, cells=cells)
    views(RandomResizedCrop(), ShufflePatches(), size=32, rule=rule, cells=cells)


@pytest.mark.parametrize("earlier", [(Flip(),), (ShufflePatches(), Flip()), (RandomResizedCrop(), ShufflePatches())])
def test_only_ops_on_whole_images_come_before_the_crop(earlier: tuple[ViewOp, ...]) -> None:
    with pytest.raises(RequestError, match=r"must come first, or after ops on whole images .* found \['"):
        views(*earlier, RandomResizedCrop(), size=32)
