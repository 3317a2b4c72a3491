"""Each strategy of DSA against loops over single pixels; draws, and the way of bytes through a normalised space."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import AnyViewOp, Dsa, Views
from rethinkdc.views.dsa import STRATEGIES, Strategy
from rethinkdc.views.order import draw

KEY = ViewKey(seed=3, epoch=2, batch=1)
EACH = pytest.mark.parametrize("strategy", STRATEGIES)


def only(strategy: Strategy) -> Dsa:
    return Dsa(strategies=(strategy,))


def placed(op: Dsa, count: int, size: int = 8, key: ViewKey = KEY) -> Tensor:
    return op.place(*draw(op, "dsa", key, count), torch.full((count, 2), size))


def noise(count: int, size: int = 8) -> Tensor:
    """Normalised images."""
    return torch.randn(count, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def in_bytes(count: int, size: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def test_one_strategy_is_drawn_for_the_batch_and_each_as_often() -> None:
    counts = torch.zeros(6)
    for batch in range(1200):
        chosen = placed(Dsa(), 3, key=ViewKey(0, 0, batch))[:, 0]
        assert (chosen == chosen[0]).all()
        counts[int(chosen[0])] += 1
    assert counts.min() > 150


def test_only_the_named_strategies_are_drawn() -> None:
    named: tuple[Strategy, ...] = ("cutout", "color")
    found = {int(placed(Dsa(strategies=named), 1, key=ViewKey(0, 0, batch))[0, 0]) for batch in range(40)}
    assert found == {STRATEGIES.index(name) for name in named}


@EACH
def test_parameters_differ_from_view_to_view_and_do_not_depend_on_how_many_there_are(strategy: Strategy) -> None:
    many = placed(only(strategy), 50)
    assert len(many.unique(dim=0)) > 1
    assert torch.equal(many[:7], placed(only(strategy), 7))


def test_parameters_fill_their_ranges() -> None:
    expected: dict[Strategy, tuple[list[float], list[float]]] = {
        "color": ([-0.5, 0.0, 0.5], [0.5, 2.0, 1.5]),
        "crop": ([-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]),
        "cutout": ([-2.0, -2.0, 0.0], [6.0, 6.0, 0.0]),
        "flip": ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        "scale": ([1 / 1.2, 1 / 1.2, 0.0], [1.2, 1.2, 0.0]),
        "rotate": ([-15.0, 0.0, 0.0], [15.0, 0.0, 0.0]),
    }
    for strategy, (low, high) in expected.items():
        values = placed(only(strategy), 20000)[:, 1:]
        torch.testing.assert_close(values.amin(0), torch.tensor(low).double(), atol=0.01, rtol=0)
        torch.testing.assert_close(values.amax(0), torch.tensor(high).double(), atol=0.01, rtol=0)
        assert values.mean(0).tolist() == pytest.approx([(a + b) / 2 for a, b in zip(low, high, strict=True)], abs=0.3)


@pytest.mark.parametrize(("size", "most"), [(8, 1), (28, 4), (32, 4), (64, 8), (11, 1)])
def test_crops_move_by_an_eighth_of_the_side_rounded_half_up(size: int, most: int) -> None:
    values = placed(only("crop"), 5000, size)[:, 1:3]
    assert sorted(set(values.flatten().tolist())) == list(range(-most, most + 1))


@pytest.mark.parametrize(("size", "side", "low", "high"), [(8, 4, -2, 6), (9, 5, -2, 6), (10, 5, -2, 7)])
def test_the_middle_of_a_cutout_lies_anywhere_on_the_view(size: int, side: int, low: int, high: int) -> None:
    values = placed(only("cutout"), 5000, size)[:, 1:3]
    assert sorted(set(values.flatten().tolist())) == list(range(low, high + 1))
    assert (only("cutout").warp(torch.ones(5000, 1, size, size), placed(only("cutout"), 5000, size)) == 0).sum(
        dim=(1, 2, 3)
    ).max() == side * side


def test_color_changes_brightness_then_saturation_then_contrast() -> None:
    images, values = noise(4), placed(only("color"), 4)
    views = only("color").warp(images, values)
    for image, view, (_, added, saturation, contrast) in zip(images, views, values.tolist(), strict=True):
        expected = image.clone()
        for y in range(8):
            for x in range(8):
                pixel = [float(channel) + added for channel in image[:, y, x]]
                grey = sum(pixel) / 3
                expected[:, y, x] = images.new_tensor([(channel - grey) * saturation + grey for channel in pixel])
        level = sum(expected.flatten().tolist()) / expected.numel()
        torch.testing.assert_close(view, (expected - level) * contrast + level, rtol=0, atol=1e-12)


def test_crop_shows_the_view_from_another_corner_with_zero_beyond() -> None:
    images, values = noise(6), placed(only("crop"), 6)
    views = only("crop").warp(images, values)
    for image, view, (_, down, right, _) in zip(images, views, values.int().tolist(), strict=True):
        for y in range(8):
            for x in range(8):
                inside = 0 <= y + down < 8 and 0 <= x + right < 8
                expected = image[:, y + down, x + right] if inside else torch.zeros(3, dtype=torch.float64)
                assert torch.equal(view[:, y, x], expected)


def test_cutout_sets_a_square_to_zero_and_nothing_else() -> None:
    images, values = noise(6), placed(only("cutout"), 6)
    views = only("cutout").warp(images, values)
    for image, view, (_, top, left, _) in zip(images, views, values.int().tolist(), strict=True):
        expected = image.clone()
        expected[:, max(top, 0) : top + 4, max(left, 0) : left + 4] = 0
        assert torch.equal(view, expected)
        assert not torch.equal(view, image)


def test_flip_mirrors_the_drawn_half_left_to_right() -> None:
    images, values = noise(20), placed(only("flip"), 20)
    mirrored = values[:, 1] == 1
    assert 0 < mirrored.sum() < 20
    views = only("flip").warp(images, values)
    assert torch.equal(views[mirrored], images[mirrored].flip(3))
    assert torch.equal(views[~mirrored], images[~mirrored])


def sampled(images: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def test_scale_is_the_affine_map_that_stretches_each_axis() -> None:
    images, values = noise(6), placed(only("scale"), 6)
    theta = torch.zeros(6, 2, 3, dtype=torch.float64)
    theta[:, 0, 0], theta[:, 1, 1] = values[:, 2], values[:, 1]
    torch.testing.assert_close(only("scale").warp(images, values), sampled(images, theta), rtol=0, atol=1e-12)


def test_rotate_is_the_affine_map_that_turns_counter_clockwise() -> None:
    images, values = noise(6), placed(only("rotate"), 6)
    theta = torch.zeros(6, 2, 3, dtype=torch.float64)
    for number, degrees in enumerate(values[:, 1].tolist()):
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        theta[number, :, :2] = theta.new_tensor([[cosine, -sine], [sine, cosine]])
    views = only("rotate").warp(images, values)
    torch.testing.assert_close(views, sampled(images, theta), rtol=0, atol=1e-12)
    quarter = torch.tensor([[STRATEGIES.index("rotate"), 90.0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(only("rotate").warp(images, quarter), torch.rot90(images, 1, (2, 3)))


@EACH
def test_one_line_of_parameters_stands_for_all_images(strategy: Strategy) -> None:
    images, values = noise(5), placed(only(strategy), 5)
    shared = only(strategy).warp(images, values[:1])
    torch.testing.assert_close(shared, only(strategy).warp(images, values[:1].expand(5, 4)), rtol=0, atol=1e-12)


@EACH
@pytest.mark.parametrize("count", [1, 2])
def test_gradients_of_both_orders_are_right(strategy: Strategy, count: int) -> None:
    images = noise(2, 3).requires_grad_()
    values = placed(only(strategy), count, 3)
    assert torch.autograd.gradcheck(lambda images: only(strategy).warp(images, values), (images,))
    assert torch.autograd.gradgradcheck(
        lambda images: only(strategy).warp(images, values).square(), (images,), fast_mode=True
    )


@EACH
def test_bytes_are_warped_in_the_normalised_space_and_rounded(strategy: Strategy) -> None:
    op = Dsa(strategies=(strategy,), mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.3))
    pixels, values = in_bytes(6), placed(op, 6)
    mean, std = torch.tensor(op.mean).double()[:, None, None], torch.tensor(op.std).double()[:, None, None]
    warped = op.warp((pixels.double() / 255 - mean) / std, values)
    expected = ((warped * std + mean) * 255).clamp(0, 255)
    views = op.render(pixels.clone(), values)
    assert views.dtype == torch.uint8
    assert views.is_contiguous(memory_format=torch.channels_last)
    assert (views - expected).abs().max() <= 0.5 + 1e-9


def test_brightness_of_bytes_is_scaled_by_the_std_and_empty_places_have_the_mean_colour() -> None:
    op = Dsa(mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.3))
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    brighter = op.render(grey.clone(), torch.tensor([[STRATEGIES.index("color"), 0.4, 1.0, 1.0]]).double())
    assert brighter[0, :, 0, 0].tolist() == [100 + round(255 * 0.4 * std) for std in op.std]
    moved = op.render(grey.clone(), torch.tensor([[STRATEGIES.index("crop"), 1.0, 0.0, 0.0]]).double())
    assert moved[0, :, 7, 0].tolist() == [51, 102, 153]
    assert moved[0, :, :7].eq(100).all()


@pytest.mark.parametrize("strategy", ["crop", "cutout", "flip"])
def test_bytes_that_are_only_moved_keep_their_values(strategy: Strategy) -> None:
    pixels, values = in_bytes(6), placed(only(strategy), 6)
    marked = only(strategy).warp(torch.ones(6, 3, 8, 8), values) == 1
    expected = only(strategy).warp(pixels.double(), values)[marked]
    assert torch.equal(only(strategy).render(pixels.clone(), values)[marked].double(), expected)


class Held:
    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def fetch(self, rows: Tensor) -> list[Tensor]:
        return [self.pixels[row] for row in rows.tolist()]


def test_views_of_training_are_augmented_alike_under_one_key_and_on_any_number_of_threads() -> None:
    store, rows = Held(in_bytes(9, 16)), torch.arange(9)
    made = Views([Dsa()], None, size=16, rule=ViewRule(), cell_boxes=None)
    threads = torch.get_num_threads()
    try:
        for batch in range(12):
            key = ViewKey(5, 0, batch)
            torch.set_num_threads(1)
            once = made.render(store, rows, rows, key).pixels
            torch.set_num_threads(3)
            assert torch.equal(made.render(store, rows, rows, key).pixels, once)
            values = placed(Dsa(), 9, 16, key)
            assert torch.equal(once, Dsa().render(store.pixels.clone(), values))
    finally:
        torch.set_num_threads(threads)


def test_a_protocol_file_names_it_dsa() -> None:
    ops: TypeAdapter[list[AnyViewOp]] = TypeAdapter(list[AnyViewOp])
    assert ops.validate_python([{"op": "dsa"}]) == [Dsa()]
    named = Dsa(strategies=("color", "crop"), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    assert ops.validate_json(ops.dump_json([named])) == [named]
    with pytest.raises(ValidationError, match="every strategy may be named once"):
        Dsa(strategies=("flip", "flip"))
    with pytest.raises(ValidationError, match="at least 1 item"):
        Dsa(strategies=())
    with pytest.raises(ValidationError, match="greater than 0"):
        Dsa(std=(0.2, 0.0, 0.2))
