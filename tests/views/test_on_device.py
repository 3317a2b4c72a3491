"""Views that are cut on a device: the same draws, the same boxes, pixels within a step of the CPU renderer's."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from rethinkdc.data import CanvasStore, DecodedImages, DeviceStore
from rethinkdc.errors import RequestError
from rethinkdc.seeds import generator
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import (
    Affine,
    CropPad,
    CutMix,
    Dsa,
    FixedViews,
    Flip,
    MixUp,
    RandomResizedCrop,
    Roll,
    ShufflePatches,
    ViewOp,
    Views,
)
from tests.fake_gpu import CUDA, fake_gpu

CPU = torch.device("cpu")
ROWS, SIZE = 24, 16
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % 3, ("a", "b", "c"))
CELLS = torch.tensor([[0, 0, 8, 8], [0, 8, 8, 8], [8, 0, 8, 8], [8, 8, 8, 8]], dtype=torch.int32)
KEY, CHOSEN = ViewKey(5, 2, 1), torch.tensor([7, 3, 20, 0, 11])
# One of each op; the last of them samples between pixels, and so keeps a step of difference a small one.
OPS: list[tuple[ViewOp, ...]] = [
    (),
    (RandomResizedCrop(),),
    (RandomResizedCrop(interpolation="bicubic"), Flip()),
    (CropPad(padding=2), Flip()),
    (ShufflePatches(), RandomResizedCrop()),
    (RandomResizedCrop(), Roll(low=-3, high=3), ShufflePatches()),
    (RandomResizedCrop(), Affine(shift=1.0, rotation=5.0)),
    (RandomResizedCrop(), Dsa(strategies=("crop", "flip", "cutout"))),
]
MIXES: list[ViewOp | None] = [None, CutMix(), MixUp()]


def of(ops: tuple[ViewOp, ...], mix: ViewOp | None, *, cells: bool = False, size: int = SIZE) -> Views:
    rule = ViewRule(scope="cell", choice="cycle") if cells else ViewRule()
    return Views(ops, mix, size=size, rule=rule, cell_boxes=CELLS if cells else None)


def placed(device: torch.device = CPU, *, limit_bytes: int = 1 << 30) -> DeviceStore:
    return DeviceStore(CanvasStore(IMAGES, SIZE), (SIZE, SIZE), device, limit_bytes=limit_bytes)


def in_steps(batch: ViewBatch) -> Tensor:
    return batch.pixels.double() * (255 if batch.pixels.is_floating_point() else 1)


def require_alike(found: ViewBatch, wanted: ViewBatch, steps: float) -> None:
    """All but the pixels is equal, and those are within ``steps`` of 255."""
    for field in fields(ViewBatch):
        first, second = getattr(found, field.name), getattr(wanted, field.name)
        if field.name != "pixels" and isinstance(first, Tensor):
            assert torch.equal(first, second), field.name
        elif field.name != "pixels":
            assert first == second, field.name
    assert found.pixels.dtype == wanted.pixels.dtype
    assert found.pixels.is_contiguous(memory_format=torch.channels_last)
    assert (in_steps(found) - in_steps(wanted)).abs().max() <= steps + 1e-3


@pytest.mark.parametrize("ops", OPS)
@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("limit_bytes", [1 << 30, 0])
def test_views_are_those_of_the_cpu_renderer_within_a_step(
    ops: tuple[ViewOp, ...], mix: ViewOp | None, limit_bytes: int
) -> None:
    views, targets = of(ops, mix), IMAGES.targets[CHOSEN]
    # Bicubic ones are clipped twice by the CPU, and what samples between pixels rounds once more.
    steps = 2 if any(isinstance(op, Affine) or getattr(op, "interpolation", "") == "bicubic" for op in ops) else 1
    wanted = views.render(CanvasStore(IMAGES, SIZE), CHOSEN, targets, KEY)
    require_alike(views.render(placed(limit_bytes=limit_bytes), CHOSEN, targets, KEY), wanted, steps)


@pytest.mark.parametrize("ops", OPS)
def test_no_bit_depends_on_where_pixels_wait(ops: tuple[ViewOp, ...]) -> None:
    views = of(ops, MixUp())
    here, there = (views.render(placed(limit_bytes=limit), CHOSEN, CHOSEN, KEY).pixels for limit in (1 << 30, 0))
    assert torch.equal(here, there)


@pytest.mark.parametrize("size", [8, 16])
def test_views_of_cells_and_of_another_size_are_cut_too(size: int) -> None:
    for ops in ((), (RandomResizedCrop(),)):
        views = of(ops, None, cells=True, size=size)
        wanted = views.render(CanvasStore(IMAGES, SIZE), CHOSEN, CHOSEN, KEY)
        require_alike(views.render(placed(), CHOSEN, CHOSEN, KEY), wanted, 1)
    whole = of((), None, size=10)
    wanted = whole.render(CanvasStore(IMAGES, SIZE), CHOSEN, CHOSEN, KEY)
    require_alike(whole.render(placed(), CHOSEN, CHOSEN, KEY), wanted, 1)


def test_a_view_of_each_image_that_stays_the_same_is_cut_too() -> None:
    views = FixedViews(
        (RandomResizedCrop(), Flip()), CutMix(), size=SIZE, rule=ViewRule(), cell_boxes=None, targets=IMAGES.targets
    )
    other = FixedViews(
        (RandomResizedCrop(), Flip()), CutMix(), size=SIZE, rule=ViewRule(), cell_boxes=None, targets=IMAGES.targets
    )
    wanted = views.render(CanvasStore(IMAGES, SIZE), CHOSEN, IMAGES.targets[CHOSEN], KEY)
    require_alike(other.render(placed(), CHOSEN, IMAGES.targets[CHOSEN], KEY), wanted, 1)


def test_a_rank_cuts_its_own_views_to_the_bit() -> None:
    views, places = of((RandomResizedCrop(), Flip()), CutMix()), torch.tensor([1, 4])
    whole = views.render(placed(), CHOSEN, CHOSEN, KEY)
    own = views.render(placed(), CHOSEN, CHOSEN, KEY, places)
    assert torch.equal(own.pixels, whole.pixels[places])


def test_no_views_can_be_asked_for_and_a_cell_that_leaves_the_image_is_refused() -> None:
    none = of((RandomResizedCrop(), Flip()), CutMix()).render(placed(), CHOSEN[:0], CHOSEN[:0], KEY)
    assert none.pixels.shape == (0, 3, SIZE, SIZE)
    outside = Views((), None, size=SIZE, rule=ViewRule(scope="cell"), cell_boxes=CELLS + 4)
    with pytest.raises(RequestError, match="Cells reach to"):
        outside.render(placed(), CHOSEN, CHOSEN, KEY)


STRATEGIES = [(Dsa(strategies=(name,)),) for name in ("color", "crop", "cutout", "flip", "scale", "rotate")]


@pytest.mark.parametrize(
    ("ops", "mix", "places"),
    [
        *((ops, CutMix(), None) for ops in [*OPS, *STRATEGIES]),
        *((OPS[2], mix, torch.tensor([1, 3])) for mix in MIXES),
    ],
)
def test_nothing_that_is_drawn_makes_the_host_wait(
    ops: tuple[ViewOp, ...], mix: ViewOp | None, places: Tensor | None
) -> None:
    views = of(ops, mix)
    with fake_gpu() as gpu:
        store = placed(CUDA)
        gpu.waits.clear()
        batch = views.render(store, CHOSEN, IMAGES.targets[CHOSEN], KEY, places)
        assert batch.pixels.device == CUDA
        assert batch.to(CUDA).pixels is not None
    assert gpu.waits == []


@pytest.mark.gpu
@pytest.mark.parametrize("ops", [*OPS, *STRATEGIES])
@pytest.mark.parametrize("mix", MIXES)
def test_a_gpu_cuts_what_the_cpu_cuts(ops: tuple[ViewOp, ...], mix: ViewOp | None) -> None:
    views, targets = of(ops, mix), IMAGES.targets[CHOSEN]
    found = views.render(placed(torch.device("cuda")), CHOSEN, targets, KEY)
    require_alike(found.to(CPU), views.render(placed(), CHOSEN, targets, KEY), 1)
