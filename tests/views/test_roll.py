"""Roll against torch.roll, on bytes and on floats, and its range."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from rethinkdc.views import AnyViewOp, Roll, uniforms

NO_BATCH = torch.empty(0, dtype=torch.float64)


def noise(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def placed(op: Roll, count: int, size: int = 9) -> Tensor:
    return op.place(uniforms(1, "roll", 0, 0, (count, 2)), NO_BATCH, torch.full((count, 2), size))


def test_shifts_are_whole_pixels_and_reach_both_ends_of_the_range() -> None:
    shifts = placed(Roll(low=-4, high=4), 9000)
    assert shifts.dtype == torch.int64
    for axis in (0, 1):
        counts = torch.bincount(shifts[:, axis] + 4, minlength=9)
        assert len(counts) == 9
        assert counts.min() > 850
    assert (shifts[:, 0] != shifts[:, 1]).any()


def test_a_range_of_one_number_is_that_number() -> None:
    assert placed(Roll(low=3, high=3), 5).eq(3).all()
    assert placed(Roll(high=0), 5).eq(0).all()


@pytest.mark.parametrize(("low", "high"), [(0, 4), (-4, 4), (0, 32)])
def test_bytes_are_shifted_as_torch_roll_does(low: int, high: int) -> None:
    pixels, shifts = noise(30, 9), placed(Roll(low=low, high=high), 30)
    rolled = Roll(low=low, high=high).render(pixels.clone(), shifts)
    for before, after, shift in zip(pixels, rolled, shifts.tolist(), strict=True):
        assert torch.equal(after, torch.roll(before, shift, dims=(1, 2)))
    assert rolled.dtype == torch.uint8
    assert rolled.is_contiguous(memory_format=torch.channels_last)


def test_one_shift_stands_for_all_floats() -> None:
    images = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    shifted = Roll(high=4).warp(images, torch.tensor([[2, 5]]))
    assert torch.equal(shifted, torch.roll(images, (2, 5), dims=(2, 3)))
    assert torch.equal(shifted, Roll(high=4).warp(images, torch.tensor([[2, 5]] * 4)))


@pytest.mark.parametrize("shifts", [[[1, -2]], [[0, 3], [2, 1]]])
def test_gradients_of_both_orders_are_right(shifts: list[list[int]]) -> None:
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def rolled(images: Tensor) -> Tensor:
        return Roll(high=4).warp(images, torch.tensor(shifts))

    assert torch.autograd.gradcheck(rolled, (images,))
    assert torch.autograd.gradgradcheck(lambda images: rolled(images).square(), (images,))


def test_a_protocol_file_names_it_roll_and_says_its_range() -> None:
    ops: TypeAdapter[list[AnyViewOp]] = TypeAdapter(list[AnyViewOp])
    assert ops.validate_python([{"op": "roll", "low": -4, "high": 4}]) == [Roll(low=-4, high=4)]
    assert ops.validate_json(ops.dump_json([Roll(high=32)])) == [Roll(low=0, high=32)]
    with pytest.raises(ValidationError, match="low must not be above high; found 5 and 4"):
        Roll(low=5, high=4)
    with pytest.raises(ValidationError, match="high"):
        ops.validate_python([{"op": "roll"}])
