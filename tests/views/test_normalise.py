"""The normaliser equals the formula, in one buffer that it uses again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.views import Normaliser

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def formula(pixels: Tensor, dtype: torch.dtype) -> Tensor:
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (MEAN, STD))
    shares = pixels.double() / 255 if pixels.dtype == torch.uint8 else pixels.double()
    return ((shares - mean) / std).to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("shape", [(3, 3, 224, 224), (70, 3, 32, 32), (1, 3, 8, 8), (5, 3, 9, 7)])
def test_it_equals_the_formula(shape: tuple[int, ...], dtype: torch.dtype, tolerance: float) -> None:
    pixels = noise(*shape).contiguous(memory_format=torch.channels_last)
    result = Normaliser(MEAN, STD, dtype)(pixels)
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, formula(pixels, dtype), atol=tolerance, rtol=0)


def test_floats_between_0_and_1_and_other_layouts_are_taken_too() -> None:
    pixels = noise(4, 3, 16, 16)
    normalise = Normaliser(MEAN, STD)
    whole = normalise(pixels).clone()
    torch.testing.assert_close(whole, formula(pixels, torch.float32), atol=2e-6, rtol=0)
    torch.testing.assert_close(normalise(pixels.float() / 255), whole, atol=2e-6, rtol=0)


def test_the_buffer_is_used_again_and_a_smaller_batch_is_given_a_slice() -> None:
    normalise, pixels = Normaliser(MEAN, STD), noise(9, 3, 16, 16)
    first = normalise(pixels[:8])
    small = normalise(pixels[8:])
    assert small.data_ptr() == first.data_ptr()
    assert small.shape == (1, 3, 16, 16)
    torch.testing.assert_close(small, formula(pixels[8:], torch.float32), atol=2e-6, rtol=0)
    torch.testing.assert_close(first[1:], formula(pixels[1:8], torch.float32), atol=2e-6, rtol=0)


def test_another_size_of_image_gets_a_buffer_of_its_own() -> None:
    normalise = Normaliser(MEAN, STD)
    for size in (16, 8, 20):
        pixels = noise(6, 3, size, size)
        torch.testing.assert_close(normalise(pixels), formula(pixels, torch.float32), atol=2e-6, rtol=0)


def test_no_images_can_be_normalised() -> None:
    assert Normaliser(MEAN, STD)(noise(0, 3, 8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("std", [(0.2, 0.0, 0.2), (0.2, 0.2), (0.2, -1.0, 0.2)])
def test_deviations_that_cannot_divide_are_refused(std: tuple[float, ...]) -> None:
    with pytest.raises(RequestError, match="standard deviations"):
        Normaliser(MEAN, std)


@pytest.mark.gpu
def test_it_equals_the_formula_on_cuda() -> None:
    pixels = noise(9, 3, 32, 32)
    result = Normaliser(MEAN, STD, device="cuda")(pixels.cuda())
    torch.testing.assert_close(result.cpu(), formula(pixels, torch.float32), atol=2e-6, rtol=0)
