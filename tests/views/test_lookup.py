"""Shifts of whole pixels: zero from beyond the image, in floats and bytes, for one draw and for many."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rethinkdc.views.lookup import look_up, translate

OFFSETS = torch.tensor([[0, 0], [2, -1], [-3, 4], [6, 0], [-9, 9]])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_a_translation_shows_the_padded_image_from_another_corner(dtype: torch.dtype) -> None:
    images = torch.randint(1, 256, (5, 3, 6, 7), generator=torch.Generator().manual_seed(0)).to(dtype)
    shifted = translate(images, OFFSETS)
    assert shifted.dtype == dtype
    padded = F.pad(images, (10, 10, 10, 10))
    for number, (down, right) in enumerate(OFFSETS.tolist()):
        expected = padded[number, :, 10 + down : 16 + down, 10 + right : 17 + right]
        assert torch.equal(shifted[number], expected)
        assert torch.equal(translate(images, OFFSETS[number : number + 1])[number], expected)


def test_a_view_may_have_another_size_than_its_image() -> None:
    images = torch.arange(24.0).view(1, 1, 4, 6)
    view = look_up(images, torch.tensor([[3, 0, -1]]), torch.tensor([[5, 1]]))
    assert view.tolist() == [[[[23.0, 19.0], [5.0, 1.0], [0.0, 0.0]]]]


def test_rows_may_be_shared_where_columns_are_not() -> None:
    images = torch.arange(24.0).view(2, 1, 3, 4)
    view = look_up(images, torch.tensor([[1]]), torch.tensor([[0, 3], [4, 2]]))
    assert view.flatten(1).tolist() == [[4.0, 7.0], [0.0, 18.0]]


@pytest.mark.parametrize("count", [1, 5])
def test_gradients_of_both_orders_are_right(count: int) -> None:
    images = torch.randn(5, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda images: translate(images, OFFSETS[:count]), (images,))
    assert torch.autograd.gradgradcheck(lambda images: translate(images, OFFSETS[:count]).square(), (images,))
