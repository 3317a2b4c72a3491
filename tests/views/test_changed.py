"""Views of floats in training: the draws of pixels' views, without rounding."""

from __future__ import annotations

import pytest
import torch

from rethinkdc.data.store import CanvasStore
from rethinkdc.errors import UnsupportedError
from rethinkdc.testing import images
from rethinkdc.types import ViewKey
from rethinkdc.views import ChangedViews, CropPad, DifferentiableViews, Dsa, Flip, RandomResizedCrop, ShufflePatches


def test_views_are_those_of_floats_under_the_same_key() -> None:
    data = images(classes=3, per_class=4, size=8)
    store, rows = CanvasStore(data, 8), torch.tensor([5, 0, 11, 2])
    ops = [CropPad(padding=2), Flip(), Dsa()]
    for batch in range(6):
        key = ViewKey(3, 1, batch)
        found = ChangedViews(ops, lambda pixels: pixels.float() / 10 - 7, size=8).render(
            store, rows, data.targets[rows], key
        )
        expected = DifferentiableViews(ops, size=8, shared=False).render(data.canvases(rows, 8).float() / 10 - 7, key)
        assert torch.equal(found.pixels, expected)
        assert torch.equal(found.hard, data.targets[rows])


@pytest.mark.parametrize("op", [RandomResizedCrop(), ShufflePatches()])
def test_what_needs_pixels_is_refused(op: RandomResizedCrop | ShufflePatches) -> None:
    with pytest.raises(UnsupportedError, match="Whitened images are floats"):
        ChangedViews([op], lambda pixels: pixels.float(), size=8)
