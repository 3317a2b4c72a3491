"""Batches of views: the same bits from the same key, inside their boxes, mixed last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import Affine, CropPad, CutMix, Flip, RandomResizedCrop, ViewOp, Views, render_crops

KEY = ViewKey(seed=7, epoch=3, batch=2)
CELLS = torch.tensor([[0, 0, 11, 11], [0, 11, 11, 21], [11, 0, 21, 11], [11, 11, 21, 21]], dtype=torch.int32)
OPS: tuple[ViewOp, ...] = (RandomResizedCrop(), Flip(), CropPad(padding=2), Affine(shift=1.0, rotation=5.0))


class Held:
    """A store of one tensor; as sources alone when ``listed``."""

    def __init__(self, images: Tensor | list[Tensor], *, listed: bool = False) -> None:
        self.images = images
        self.pixels = images if isinstance(images, Tensor) and not listed else None

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        return [self.images[row] for row in rows.tolist()]


def noise(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def views(
    *ops: ViewOp, mix: ViewOp | None = None, size: int = 32, rule: ViewRule | None = None, cells: Tensor | None = None
) -> Views:
    return Views(ops, mix, size=size, rule=rule or ViewRule(), cell_boxes=cells)


def render(made: Views, store: Held, rows: Tensor | None = None, key: ViewKey = KEY) -> ViewBatch:
    chosen = torch.arange(len(store)) if rows is None else rows
    return made.render(store, chosen, chosen % 10, key)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def same(first: ViewBatch, second: ViewBatch) -> bool:
    assert first.partner_rows is not None
    assert second.partner_rows is not None
    assert first.area is not None
    assert second.area is not None
    return (
        torch.equal(first.pixels, second.pixels)
        and torch.equal(first.partner_rows, second.partner_rows)
        and torch.equal(first.area, second.area)
    )


def test_the_same_key_draws_the_same_views_again_and_any_other_key_does_not() -> None:
    store = Held(noise(20, 40))
    batch = render(views(*OPS, mix=CutMix()), store)
    assert same(batch, render(views(*OPS, mix=CutMix()), store))
    for other in (ViewKey(8, 3, 2), ViewKey(7, 4, 2), ViewKey(7, 3, 1), ViewKey(7, 2, 3)):
        assert not torch.equal(batch.pixels, render(views(*OPS, mix=CutMix()), store, key=other).pixels)


def test_views_do_not_depend_on_threads_nor_on_the_global_generator(threads: None) -> None:
    store, made = Held(noise(20, 40)), views(*OPS, mix=CutMix())
    torch.set_num_threads(1)
    state = torch.get_rng_state()
    alone = render(made, store)
    assert torch.equal(state, torch.get_rng_state())
    torch.set_num_threads(2)
    torch.rand(3)
    assert same(alone, render(made, store))


def test_views_do_not_depend_on_how_the_store_holds_its_images() -> None:
    pixels = noise(20, 32)
    for ops in (OPS, OPS[1:], ()):
        held, listed = render(views(*ops), Held(pixels)), render(views(*ops), Held(pixels, listed=True))
        planar = render(views(*ops), Held(pixels.contiguous()))
        assert torch.equal(held.pixels, listed.pixels)
        assert torch.equal(held.pixels, planar.pixels)


def test_without_ops_whole_canvases_come_back_as_a_tensor_of_their_own() -> None:
    pixels, rows = noise(20, 32), torch.tensor([3, 3, 19])
    batch = render(views(), Held(pixels), rows)
    assert torch.equal(batch.pixels, pixels[rows])
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    batch.pixels.zero_()
    assert pixels[rows].any()


def test_without_a_crop_whole_images_of_any_shape_are_resized() -> None:
    images = [noise(1, 50)[0, :, :30], noise(1, 50)[0, :, :, :17], noise(1, 32)[0]]
    boxes = torch.tensor([[0, 0, 30, 50], [0, 0, 50, 17], [0, 0, 32, 32]])
    assert torch.equal(render(views(), Held(images)).pixels, render_crops(images, boxes, 32))


def test_a_batch_carries_its_rows_targets_and_key() -> None:
    rows = torch.tensor([5, 2])
    batch = render(views(*OPS), Held(noise(20, 40)), rows)
    assert torch.equal(batch.rows, rows)
    assert torch.equal(batch.hard, rows % 10)
    assert batch.key == KEY
    assert batch.partner_rows is None
    assert batch.area is None
    assert batch.pixels.dtype == torch.uint8
    assert batch.pixels.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("ops", [(), (RandomResizedCrop(),)])
def test_a_view_inside_a_cell_shows_no_other_cell(ops: tuple[ViewOp, ...]) -> None:
    pixels = torch.empty(400, 3, 32, 32, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    for colour, (y, x, height, width) in zip((0, 80, 160, 255), CELLS.tolist(), strict=True):
        pixels[:, :, y : y + height, x : x + width] = colour
    shown = render(views(*ops, rule=ViewRule(scope="cell"), cells=CELLS), Held(pixels)).pixels
    assert torch.equal(shown, shown[:, :1, :1, :1].expand_as(shown))
    counts = [int(shown[:, 0, 0, 0].eq(colour).sum()) for colour in (0, 80, 160, 255)]
    assert sum(counts) == 400
    assert min(counts) > 60


def test_crops_fill_their_cells_and_no_more() -> None:
    made = views(RandomResizedCrop(), rule=ViewRule(scope="cell"), cells=CELLS)
    boxes = made.boxes(torch.full((4000, 2), 32), torch.arange(4000), KEY)
    ends = boxes[:, :2] + boxes[:, 2:]
    reached = set()
    for y, x, height, width in CELLS.tolist():
        end = torch.tensor([y + height, x + width])
        inside = ((boxes[:, :2] >= torch.tensor([y, x])) & (ends <= end)).all(1)
        reached.add((*boxes[inside, :2].amin(0).tolist(), *ends[inside].amax(0).tolist()))
    assert reached == {(y, x, y + height, x + width) for y, x, height, width in CELLS.tolist()}


def test_cells_that_cycle_move_on_with_the_epoch_from_a_start_of_each_rows_own() -> None:
    made = views(rule=ViewRule(scope="cell", choice="cycle"), cells=CELLS)
    rows, sizes = torch.tensor([0, 1, 6]), torch.full((3, 2), 32)
    for epoch in range(5):
        boxes = made.boxes(sizes, rows, ViewKey(0, epoch, 9))
        assert torch.equal(boxes, CELLS.long()[(rows + epoch) % 4])


def test_a_share_of_the_views_lies_on_the_whole_canvas_and_the_others_stay_as_they_were() -> None:
    sizes, rows = torch.full((4000, 2), 32), torch.arange(4000)
    in_cells = views(rule=ViewRule(scope="cell"), cells=CELLS).boxes(sizes, rows, KEY)
    shared = views(rule=ViewRule(scope="cell", whole=0.25), cells=CELLS).boxes(sizes, rows, KEY)
    whole = (shared == torch.tensor([0, 0, 32, 32])).all(1)
    assert 900 < int(whole.sum()) < 1100
    assert torch.equal(shared[~whole], in_cells[~whole])
    assert (views(rule=ViewRule(scope="cell", whole=1.0), cells=CELLS).boxes(sizes, rows, KEY)[:, 2:] == 32).all()


def test_a_rule_is_written_as_before_where_no_view_lies_on_the_whole_canvas() -> None:
    assert ViewRule(scope="cell").model_dump(mode="json") == {"scope": "cell", "choice": "uniform", "scale": None}
    rule = ViewRule(scope="cell", whole=0.5)
    assert ViewRule.model_validate(rule.model_dump(mode="json")) == rule


def test_the_rule_of_the_set_overrides_the_crops_scale() -> None:
    made = views(RandomResizedCrop(scale=(0.08, 0.1)), rule=ViewRule(scale=(0.9, 1.0)))
    boxes = made.boxes(torch.full((500, 2), 100), torch.arange(500), KEY)
    assert boxes[:, 2:].prod(1).min() > 8500


def test_one_op_twice_draws_twice() -> None:
    flip = Flip(p=0.5)
    pixels = noise(200, 8)
    twice = render(views(flip, flip, size=8), Held(pixels)).pixels
    mirrored = (twice != pixels).flatten(1).any(1)
    assert 60 < int(mirrored.sum()) < 140


def test_the_mix_comes_last_and_pastes_finished_views() -> None:
    store = Held(noise(16, 40))
    plain, mixed = render(views(*OPS), store), render(views(*OPS, mix=CutMix()), store)
    assert mixed.partner_rows is not None
    assert mixed.area is not None
    other = plain.pixels[mixed.partner_rows]
    pasted = (mixed.pixels != plain.pixels).any(1)
    assert torch.equal(torch.where(pasted[:, None], other, plain.pixels), mixed.pixels)
    union = pasted.any(0)
    assert mixed.area.tolist() == pytest.approx([union.float().mean().item()] * 16)
    assert 0 < mixed.area[0] < 1


def test_a_batch_of_no_views_can_be_rendered() -> None:
    none = torch.empty(0, dtype=torch.int64)
    batch = render(views(*OPS, mix=CutMix()), Held(noise(4, 40)), none)
    assert batch.pixels.shape == (0, 3, 32, 32)


def test_ops_that_cannot_stand_in_a_row_are_refused() -> None:
    with pytest.raises(RequestError, match="must come first"):
        views(Flip(), RandomResizedCrop())
    with pytest.raises(RequestError, match="must come first"):
        views(RandomResizedCrop(), RandomResizedCrop())
    with pytest.raises(RequestError, match="name it as the mix"):
        views(CutMix())
    with pytest.raises(RequestError, match="'flip' mixes nothing"):
        views(mix=Flip())


def test_rules_that_cannot_be_served_are_refused() -> None:
    with pytest.raises(RequestError, match="has no cells"):
        views(rule=ViewRule(scope="cell"))
    with pytest.raises(UnsupportedError, match="random-resized-crop"):
        views(Flip(), rule=ViewRule(scale=(0.5, 1.0)))
    with pytest.raises(RequestError, match=r"reach to \[32, 32\] px .* has \[20, 20\]"):
        render(views(rule=ViewRule(scope="cell"), cells=CELLS), Held(noise(4, 20)))
