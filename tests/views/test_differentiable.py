"""Views of float images: training's draws, shared or for each image, with gradients of any order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import (
    Affine,
    CropPad,
    CutMix,
    DifferentiableViews,
    Dsa,
    Flip,
    RandomResizedCrop,
    Roll,
    ShufflePatches,
    ViewOp,
    Views,
    matrix_crops,
)
from rethinkdc.views.dsa import STRATEGIES
from rethinkdc.views.order import draw

KEY = ViewKey(seed=7, epoch=3, batch=2)
NO_BATCH = torch.empty(0, dtype=torch.float64)
ALL: tuple[ViewOp, ...] = (RandomResizedCrop(), Flip(), CropPad(padding=2), Roll(low=-2, high=4), Dsa())
EITHER = pytest.mark.parametrize("shared", [False, True])


class Held:
    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        return [self.pixels[row] for row in rows.tolist()]


def noise(count: int, size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, size, size, dtype=torch.float64, generator=generator)


def in_bytes(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def training_views(ops: Sequence[ViewOp], pixels: Tensor, size: int, key: ViewKey = KEY) -> Tensor:
    rows = torch.arange(len(pixels))
    made = Views(ops, None, size=size, rule=ViewRule(), cell_boxes=None)
    return made.render(Held(pixels), rows, rows, key).pixels


@pytest.mark.parametrize(
    "ops",
    [
        [RandomResizedCrop()],
        [Flip()],
        [CropPad(padding=3)],
        [Roll(low=-3, high=5)],
        [RandomResizedCrop(scale=(0.5, 1.0)), Flip(), Roll(high=4)],
        [Roll(high=4), Flip(), Roll(high=4)],
        [],
    ],
)
@pytest.mark.parametrize("size", [16, 24])
def test_views_of_each_image_are_those_of_training_but_for_rounding(ops: list[ViewOp], size: int) -> None:
    pixels = in_bytes(20, 24)
    views = DifferentiableViews(ops, size=size, shared=False).render(pixels.double() / 255, KEY)
    assert (views - training_views(ops, pixels, size).double() / 255).abs().max() <= 1 / 255 + 1e-9


def test_dsa_of_each_image_is_training_s_but_for_rounding_and_clipping() -> None:
    pixels, op = in_bytes(9, 16), Dsa(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    seen = set()
    for batch in range(20):
        key = ViewKey(1, 0, batch)
        views = DifferentiableViews([op], size=16, shared=False).render(pixels.double() / 255, key)
        assert (
            views.clamp(0, 1) - training_views([op], pixels, 16, key).double() / 255
        ).abs().max() <= 0.5 / 255 + 1e-9
        seen.add(int(op.place(*draw(op, "dsa", key, 1), torch.tensor([[16, 16]]))[0, 0]))
    assert seen == set(range(len(STRATEGIES)))


def test_a_shared_draw_is_the_first_views_for_the_whole_batch() -> None:
    images = noise(5, 12)
    for batch in range(12):
        key = ViewKey(0, 0, batch)
        shared = DifferentiableViews(ALL, size=8, shared=True).render(images, key)
        for position in range(5):
            alone = DifferentiableViews(ALL, size=8, shared=False).render(images[position : position + 1], key)
            torch.testing.assert_close(shared[position], alone[0], rtol=0, atol=1e-12)


def test_two_batches_under_one_key_are_augmented_alike_when_the_draw_is_shared() -> None:
    """Siamese: real and synthetic images, of any numbers, get the same parameters."""
    real, made = noise(9, 16, seed=1), noise(2, 16, seed=2)
    for batch in range(12):
        key = ViewKey(0, 0, batch)
        views = DifferentiableViews([Dsa()], size=16, shared=True)
        both = views.render(torch.cat([made, real]), key)
        torch.testing.assert_close(torch.cat([views.render(made, key), views.render(real, key)]), both)


def test_without_sharing_the_images_are_augmented_differently() -> None:
    images = noise(1, 12).expand(8, 3, 12, 12)
    alike = DifferentiableViews(ALL, size=8, shared=True).render(images, KEY)
    torch.testing.assert_close(alike, alike[:1].expand_as(alike))
    assert len(DifferentiableViews(ALL[:4], size=8, shared=False).render(images, KEY).unique(dim=0)) == 8


@EITHER
def test_the_same_key_gives_the_same_bits_and_any_other_key_does_not(shared: bool) -> None:
    images = noise(6, 12).float()
    first = DifferentiableViews(ALL, size=8, shared=shared).render(images, KEY)
    before = torch.get_rng_state()
    assert torch.equal(first, DifferentiableViews(ALL, size=8, shared=shared).render(images, KEY))
    assert torch.equal(torch.get_rng_state(), before)
    for other in (ViewKey(8, 3, 2), ViewKey(7, 4, 2), ViewKey(7, 3, 1)):
        assert not torch.equal(first, DifferentiableViews(ALL, size=8, shared=shared).render(images, other))


def test_a_curriculum_of_crops_draws_the_same_uniforms_at_every_scale() -> None:
    images = noise(3, 16)
    per_view, _ = draw(RandomResizedCrop(), "random-resized-crop", KEY, 1)
    for low in (1.0, 0.5, 0.08):
        crop = RandomResizedCrop(scale=(low, 1.0))
        box = crop.place(per_view, NO_BATCH, torch.tensor([[16, 16]]))
        views = DifferentiableViews([crop], size=16, shared=True).render(images, KEY)
        assert torch.equal(views, matrix_crops(images, box, 16))


@EITHER
@pytest.mark.parametrize("batch", range(6))
def test_gradients_of_both_orders_are_right(shared: bool, batch: int) -> None:
    images = noise(2, 5).requires_grad_()
    views = DifferentiableViews(ALL, size=4, shared=shared)
    key = ViewKey(0, 0, batch)
    assert torch.autograd.gradcheck(lambda images: views.render(images, key), (images,), fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda images: views.render(images, key).square(), (images,), fast_mode=True)


@EITHER
def test_images_keep_their_type_their_values_and_any_range(shared: bool) -> None:
    images = noise(3, 10).float() * 1000
    before = images.clone()
    views = DifferentiableViews(ALL, size=8, shared=shared).render(images, KEY)
    assert views.shape == (3, 3, 8, 8)
    assert views.dtype == torch.float32
    assert torch.equal(images, before)


@EITHER
def test_no_images_give_no_views(shared: bool) -> None:
    for size in (8, 10):
        views = DifferentiableViews(ALL, size=size, shared=shared).render(torch.empty(0, 3, 10, 10), KEY)
        assert views.shape == (0, 3, size, size)


@pytest.mark.parametrize("op", [Affine(), ShufflePatches()])
def test_an_op_that_works_on_bytes_alone_is_refused(op: ViewOp) -> None:
    with pytest.raises(UnsupportedError, match=f"No gradient flows through the view op '{op.op}'.*Known: random-resi"):
        DifferentiableViews([op, RandomResizedCrop()] if op.op == "shuffle-patches" else [op], size=8, shared=True)


def test_ops_stand_in_the_order_of_training() -> None:
    with pytest.raises(RequestError, match="must come first"):
        DifferentiableViews([Flip(), RandomResizedCrop()], size=8, shared=True)
    with pytest.raises(RequestError, match="works on a whole batch"):
        DifferentiableViews([CutMix()], size=8, shared=True)


@pytest.mark.gpu
@EITHER
def test_a_gpu_gives_the_cpus_views_and_repeats_its_gradients(shared: bool) -> None:
    images = noise(8, 40).float()
    views = DifferentiableViews(ALL, size=32, shared=shared)
    for batch in range(12):
        key, found = ViewKey(0, 0, batch), []
        for _ in range(2):
            copies = images.cuda().requires_grad_()
            rendered = views.render(copies, key)
            rendered.square().sum().backward()
            assert copies.grad is not None
            found.append(copies.grad)
            torch.testing.assert_close(rendered.detach().cpu(), views.render(images, key), rtol=1e-4, atol=1e-5)
        assert torch.equal(found[0], found[1])
