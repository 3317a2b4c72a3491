"""One view of each image: the same in every epoch and batch, and drawn as new ones are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore
from rethinkdc.models import build_seeded, weights_digest
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Optimizer, Recipe, train_network
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import CropPad, CutMix, FixedViews, Flip, MixUp, RandomResizedCrop, ViewOp, Views

ROWS, CLASSES, SIZE = 12, 3, 8
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))
STORE = CanvasStore(IMAGES, SIZE)
OPS: tuple[ViewOp, ...] = (RandomResizedCrop(), Flip(), CropPad(padding=2))


def fixed(mix: ViewOp | None = None, *, limit: int = 1 << 20, rule: ViewRule | None = None) -> FixedViews:
    cells = torch.tensor([[0, 0, 4, 8], [4, 0, 4, 8]], dtype=torch.int32)
    return FixedViews(
        OPS,
        mix,
        size=SIZE,
        rule=rule or ViewRule(),
        cell_boxes=cells,
        targets=IMAGES.targets,
        limit_bytes=limit,
    )


def shown(made: Views, rows: Tensor, key: ViewKey) -> ViewBatch:
    return made.render(STORE, rows, IMAGES.targets[rows], key)


@pytest.mark.parametrize("limit", [0, 1 << 20], ids=["made again", "kept"])
@pytest.mark.parametrize("mix", [None, CutMix(), MixUp()], ids=["unmixed", "cutmix", "mixup"])
def test_an_image_has_one_view_whatever_the_epoch_the_batch_and_its_place(mix: ViewOp | None, limit: int) -> None:
    made = fixed(mix, limit=limit)
    whole = shown(made, torch.arange(ROWS), ViewKey(5, 0, 0))
    rows = torch.tensor([7, 2, 11])
    later = shown(made, rows, ViewKey(5, 9, 4))
    assert torch.equal(later.pixels, whole.pixels[rows])
    if mix is not None:
        assert later.partner_rows is not None
        assert later.partner_hard is not None
        assert later.area is not None
        assert whole.partner_rows is not None
        assert whole.area is not None
        assert torch.equal(later.partner_rows, whole.partner_rows[rows])
        assert torch.equal(later.area, whole.area[rows])
        assert torch.equal(later.partner_hard, IMAGES.targets[later.partner_rows])


def test_another_seed_gives_other_views_and_images_have_views_of_their_own() -> None:
    made, rows = fixed(CutMix()), torch.arange(ROWS)
    one, other = shown(made, rows, ViewKey(1, 0, 0)), shown(made, rows, ViewKey(2, 0, 0))
    assert not torch.equal(one.pixels, other.pixels)
    assert one.area is not None
    assert len(one.area.unique()) > ROWS // 2, "each view has a share of its own"


def test_a_view_is_what_a_batch_of_this_image_alone_would_be() -> None:
    alone = Views(OPS, None, size=SIZE, rule=ViewRule(), cell_boxes=None)
    made = shown(fixed(), torch.tensor([3]), ViewKey(8, 6, 1))
    assert torch.equal(made.pixels, shown(alone, torch.tensor([3]), ViewKey(8, 0, 3)).pixels)


def test_a_mix_pastes_the_partners_own_view_and_partners_are_a_permutation_of_the_set() -> None:
    rows = torch.arange(ROWS)
    plain, mixed = shown(fixed(), rows, ViewKey(3, 0, 0)), shown(fixed(CutMix()), rows, ViewKey(3, 0, 0))
    assert mixed.partner_rows is not None
    assert mixed.area is not None
    assert mixed.partner_rows.sort().values.tolist() == rows.tolist()
    other = plain.pixels[mixed.partner_rows]
    pasted = (mixed.pixels != plain.pixels).any(1)
    assert torch.equal(torch.where(pasted[:, None], other, plain.pixels), mixed.pixels)
    assert bool((pasted.float().mean((1, 2)) <= mixed.area + 1e-6).all())
    assert bool(pasted.any())


def test_the_shares_of_many_fixed_views_have_the_distribution_of_new_ones() -> None:
    """CutMix' pasted share over images, against that over batches: the same quantiles, of 400 draws each."""
    count = 400
    made = FixedViews(
        (), CutMix(), size=16, rule=ViewRule(), cell_boxes=None, targets=torch.zeros(count, dtype=torch.int64)
    )
    store = CanvasStore(DecodedImages(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.zeros(1).long(), ("a",)), 16)
    fresh = Views((), CutMix(), size=16, rule=ViewRule(), cell_boxes=None)
    one = torch.zeros(1, dtype=torch.int64)
    new = torch.stack([fresh.render(store, one, one, ViewKey(1, epoch, 0)).area[0] for epoch in range(count)])  # type: ignore[index]
    black = CanvasStore(
        DecodedImages(torch.zeros(count, 3, 16, 16, dtype=torch.uint8), torch.zeros(count).long(), ("a",)), 16
    )
    rows = torch.arange(count)
    area = made.render(black, rows, rows * 0, ViewKey(2, 0, 0)).area
    assert area is not None
    levels = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    torch.testing.assert_close(area.quantile(levels), new.quantile(levels), rtol=0, atol=0.08)


def test_cells_that_cycle_stay_at_the_images_first_cell() -> None:
    made = fixed(rule=ViewRule(scope="cell", choice="cycle"))
    first, later = (shown(made, torch.arange(ROWS), ViewKey(5, epoch, 0)) for epoch in (0, 1))
    assert torch.equal(first.pixels, later.pixels)


def trained(recipe: Recipe, workers: int = 0) -> str:
    network = build_seeded(ConvNet(depth=1, width=4), CLASSES, SIZE, 0)
    views = recipe.make_views(recipe.mix, IMAGES.targets, size=SIZE, rule=ViewRule(), cell_boxes=None)
    train_network(
        network,
        STORE,
        IMAGES.targets,
        views,
        HardTargets(),
        recipe,
        recipe.length(ROWS),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        seeds=LoopSeeds(1, 2, 3),
        device=torch.device("cpu"),
        workers=workers,
    )
    return weights_digest(network)


def test_a_training_on_fixed_views_is_the_same_with_any_number_of_workers_and_another_than_with_new_ones() -> None:
    recipe = Recipe(optimizer=Optimizer(lr=0.01), epochs=3, batch=5, views=OPS, mix=CutMix())
    one = recipe.model_copy(update={"fixed_views": True})
    assert trained(one) == trained(one, workers=3)
    assert trained(one) != trained(recipe)


def test_a_recipe_says_that_views_are_fixed_only_where_they_are() -> None:
    recipe = Recipe(epochs=1)
    assert "fixed_views" not in recipe.model_dump()
    assert recipe.model_copy(update={"fixed_views": True}).model_dump()["fixed_views"] is True
