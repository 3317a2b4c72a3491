"""Flip, crop-pad and affine against loops over single pixels and hand-worked cases."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from rethinkdc.views import Affine, AnyViewOp, CropPad, CutMix, Flip, RandomResizedCrop, uniforms

NO_BATCH = torch.empty(0, dtype=torch.float64)


def noise(count: int, size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def is_channels_last(pixels: Tensor) -> bool:
    return pixels.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("chosen", [[], [1, 4], [0, 1, 2, 3, 4, 5]])
def test_flip_mirrors_the_chosen_views_and_no_other(chosen: list[int]) -> None:
    pixels = noise(6, 7)
    flipped = Flip().render(pixels.clone(), torch.tensor([position in chosen for position in range(6)]))
    for position in range(6):
        expected = pixels[position].flip(2) if position in chosen else pixels[position]
        assert torch.equal(flipped[position], expected)
    assert is_channels_last(flipped)


def test_flip_chooses_a_share_of_p() -> None:
    sizes = torch.full((20000, 2), 8)
    drawn = uniforms(0, "flip", 0, 0, (20000, 1))
    assert abs(Flip(p=0.3).place(drawn, NO_BATCH, sizes).float().mean().item() - 0.3) < 0.02
    assert not Flip(p=0.0).place(drawn, NO_BATCH, sizes).any()
    assert Flip(p=1.0).place(drawn, NO_BATCH, sizes).all()


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_crop_pad_equals_copying_pixel_by_pixel(padding: int) -> None:
    count, size = 60, 9
    pixels = noise(count, size)
    op = CropPad(padding=padding)
    offsets = op.place(uniforms(5, "crop-pad", 0, 0, (count, 2)), NO_BATCH, torch.full((count, 2), size))
    assert set(offsets.view(-1).tolist()) == set(range(2 * padding + 1))
    expected = torch.zeros_like(pixels)
    for view, (top, left) in enumerate(offsets.tolist()):
        for y in range(size):
            for x in range(size):
                source_y, source_x = y + top - padding, x + left - padding
                if 0 <= source_y < size and 0 <= source_x < size:
                    expected[view, :, y, x] = pixels[view, :, source_y, source_x]
    cut = op.render(pixels.clone(), offsets)
    assert torch.equal(cut, expected)
    assert is_channels_last(cut)


def moved(pixels: Tensor, *, degrees: float = 0.0, scale: float = 1.0, down: float = 0.0, right: float = 0.0) -> Tensor:
    placed = torch.tensor([[degrees, scale, down, right]], dtype=torch.float64).expand(len(pixels), 4)
    return Affine().render(pixels.clone(), placed)


@pytest.mark.parametrize("size", [8, 28, 33])
def test_affine_at_the_identity_is_exact(size: int) -> None:
    pixels = noise(5, size)
    same = moved(pixels)
    assert torch.equal(same, pixels)
    assert is_channels_last(same)


@pytest.mark.parametrize("size", [8, 28])
def test_affine_moves_by_whole_pixels_exactly_and_fills_with_black(size: int) -> None:
    pixels = noise(5, size)
    result = moved(pixels, down=1.0, right=-2.0)
    assert torch.equal(result[:, :, 1:, :-2], pixels[:, :, :-1, 2:])
    assert not result[:, :, 0].any()
    assert not result[:, :, :, -2:].any()


def test_affine_moves_half_a_pixel_by_averaging_neighbours() -> None:
    pixels = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    pixels[0, :, 1, 1] = 200
    result = moved(pixels, right=0.5)
    assert result[0, 0, 1].tolist() == [0, 100, 100, 0]


def test_affine_turns_counter_clockwise() -> None:
    pixels = noise(3, 6)
    assert torch.equal(moved(pixels, degrees=90.0), torch.rot90(pixels, 1, (2, 3)))


def test_affine_magnifies_about_the_centre_then_shifts() -> None:
    pixels = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    pixels[0, :, 3:5, 3:5] = 240
    grown = moved(pixels, scale=2.0)
    assert grown[0, 0, 3:5, 3:5].eq(240).all()
    assert grown.float().sum().item() == pytest.approx(4 * pixels.float().sum().item())
    assert torch.equal(moved(pixels, scale=2.0, down=1.0)[:, :, 1:], grown[:, :, :-1])


def test_affine_parameters_fill_their_ranges() -> None:
    op = Affine(shift=1.5, rotation=10.0, scale=(0.9, 1.2))
    placed = op.place(uniforms(0, "affine", 0, 0, (20000, 4)), NO_BATCH, torch.full((20000, 2), 8))
    torch.testing.assert_close(placed.amin(0), torch.tensor([-10.0, 0.9, -1.5, -1.5]).double(), atol=0.01, rtol=0)
    torch.testing.assert_close(placed.amax(0), torch.tensor([10.0, 1.2, 1.5, 1.5]).double(), atol=0.01, rtol=0)


def test_ops_are_told_apart_by_their_field_op() -> None:
    ops: TypeAdapter[list[AnyViewOp]] = TypeAdapter(list[AnyViewOp])
    named = [{"op": name} for name in ("random-resized-crop", "flip", "crop-pad", "affine", "cutmix")]
    assert ops.validate_python(named) == [RandomResizedCrop(), Flip(), CropPad(), Affine(), CutMix()]
    assert ops.validate_json(ops.dump_json([Flip(p=0.2)])) == [Flip(p=0.2)]
    with pytest.raises(ValidationError, match="no such view op"):
        ops.validate_python([{"op": "cropped"}])
    with pytest.raises(ValidationError, match="Extra inputs"):
        ops.validate_python([{"op": "flip", "q": 1}])
    with pytest.raises(ValidationError, match="scale must be"):
        Affine(scale=(1.2, 0.8))
