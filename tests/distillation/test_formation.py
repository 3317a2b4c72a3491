"""Cells of canvases as training images: beside the authors' code, and beside what students are shown.

Golden numbers are those of ``Synthesizer`` in condense.py of snu-mllab/Efficient-Dataset-Condensation at ceac95a, under
float32 on a CPU: ``decode_zoom`` of two canvases and ``init`` (mix) of one class, on the waves below.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.data.store import CanvasStore
from rethinkdc.distillation import EACH_CELL, fill, form, grid_boxes
from rethinkdc.types import ViewKey
from rethinkdc.views import CutMix, Flip, Views


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


def test_canvases_are_decoded_as_by_the_authors_code() -> None:
    four = form(wave((2, 3, 4, 4), 0.7), 2)
    assert four.shape == (8, 3, 4, 4)
    rows = [[0.222026, 0.051939, -0.288237, -0.458324], [0.032564, -0.053131, -0.224521, -0.310216]]
    assert torch.allclose(four[3, 1, :2], torch.tensor(rows), atol=1e-6)
    six = form(wave((2, 3, 6, 6), 0.7), 3)
    assert six[9, 2, 4].tolist() == pytest.approx(
        [0.622296, 0.622296, 0.405424, 0.188552, -0.028321, -0.028321], abs=1e-6
    )


def test_canvases_are_filled_as_by_the_authors_code() -> None:
    filled = fill(wave((8, 3, 4, 4), 0.3), 2)
    rows = [[0.60554, 0.949125, -0.923118, -0.978997], [0.091021, -0.487175, 0.420974, 0.859618]]
    assert torch.allclose(filled[1, 1, :2], torch.tensor(rows), atol=1e-5)
    six = fill(wave((18, 3, 6, 6), 0.3), 3)
    assert six[1, 1, 5].tolist() == pytest.approx(
        [-0.851392, -0.940114, -0.154177, 0.678119, 0.970723, 0.415287], abs=1e-4
    )


def test_canvases_are_filled_as_by_the_code_of_idm() -> None:
    """``downscale`` (by .5) of dc_utils.py of uitrbn/IDM at fe23bbc."""
    images = wave((2, 3, 4, 4), 0.3)
    filled = fill(images.repeat(4, 1, 1, 1), 2, "bilinear")
    assert filled[1, 1, :2, :2].flatten().tolist() == pytest.approx(
        [0.804256, 0.741897, -0.499605, -0.776683], abs=1e-5
    )


def test_one_cell_is_the_image_itself() -> None:
    images = wave((2, 3, 4, 4), 0.7)
    assert form(images, 1) is images
    assert torch.equal(fill(images, 1), images)


def test_gradients_of_any_order_reach_the_canvases() -> None:
    images = wave((1, 3, 2, 2), 0.7).double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda some: form(some, 2).square().sum(), (images,))


def made() -> tuple[CompressedSet, Tensor]:
    canvases = torch.randint(0, 256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    part = {"canvases": canvases, "targets": torch.tensor([0, 0, 1, 1])}
    boxes = grid_boxes(8, 2)
    return CompressedSet.of_canvases([part], ("a", "b"), cell_boxes=boxes, view_rule=EACH_CELL), canvases


def test_students_see_every_cell_as_it_is_decoded_while_canvases_are_made() -> None:
    found, canvases = made()
    views = Views([], None, size=8, rule=found.view_rule, cell_boxes=found.cell_boxes)
    rows, targets = torch.arange(16), found.targets.repeat_interleave(4)
    batch = views.render(CanvasStore(found, 8, "squash", "bilinear"), rows, targets, ViewKey(0, 0, 0))
    decoded = form(canvases.float(), 2).view(4, 4, 3, 8, 8).transpose(0, 1).flatten(0, 1)
    assert float((batch.pixels.float() - decoded).abs().max()) <= 1
    assert batch.rows.tolist() == [row // 4 for row in range(16)]
    assert batch.hard.tolist() == [0] * 8 + [1] * 8


def test_a_mix_names_the_canvas_that_its_partners_cell_lies_on() -> None:
    found, _ = made()
    views = Views([Flip(p=0)], CutMix(), size=8, rule=found.view_rule, cell_boxes=found.cell_boxes)
    rows, targets = torch.tensor([15, 0, 6, 9]), found.targets.repeat_interleave(4)
    batch = views.render(CanvasStore(found, 8, "squash", "bilinear"), rows, targets[rows], ViewKey(0, 0, 1))
    assert batch.rows.tolist() == [3, 0, 1, 2]
    assert batch.partner_rows is not None
    assert batch.partner_hard is not None
    assert sorted(batch.partner_rows.tolist()) == [0, 1, 2, 3]
    assert torch.equal(found.targets[batch.partner_rows], batch.partner_hard)
