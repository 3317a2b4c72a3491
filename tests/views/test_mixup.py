"""MixUp on cases worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rethinkdc.training import HardTargets
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import MixUp, Normaliser, Views, uniforms

KEY = ViewKey(seed=7, epoch=3, batch=2)
SIZES = torch.full((4, 2), 8)


class Held:
    def __init__(self, images: Tensor) -> None:
        self.images: Tensor = images
        self.pixels: Tensor | None = images

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> list[Tensor]:
        return [self.images[row] for row in rows.tolist()]


def noise(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


def render(store: Held, key: ViewKey = KEY) -> ViewBatch:
    rows = torch.arange(len(store))
    made = Views((), MixUp(), size=store.images.shape[-1], rule=ViewRule(), cell_boxes=None)
    return made.render(store, rows, rows % 3, key)


def test_a_view_is_the_weighted_mean_of_itself_and_its_partner() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)[:, None, None, None].expand(3, 3, 2, 2)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    mixed = MixUp().render(pixels, torch.tensor([0.75], dtype=torch.float64), torch.tensor([1, 2, 0]))
    # 0.75 x 0 + 0.25 x 0.2; 0.75 x 0.2 + 0.25 x 1; 0.75 x 1 + 0.25 x 0
    expected = torch.tensor([0.05, 0.4, 0.75])[:, None, None, None].expand(3, 3, 2, 2)
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-7)
    assert mixed.dtype == torch.float32
    assert mixed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.3, 1 / 3, 0.7, 0.999, 1.0])
def test_a_mix_stays_between_black_and_white(kept: float) -> None:
    pixels = torch.tensor([255, 255, 0, 0], dtype=torch.uint8)[:, None, None, None].expand(4, 3, 5, 5)
    mixed = MixUp().render(pixels, torch.tensor([kept], dtype=torch.float64), torch.tensor([1, 0, 3, 2]))
    assert mixed.min() == 0
    assert 1 - 1e-6 < mixed.max() <= 1


def test_large_views_are_mixed_in_parts_like_small_ones() -> None:
    pixels, partner = noise(5, 300), torch.tensor([4, 2, 0, 1, 3])
    mixed = MixUp().render(pixels.clone(), torch.tensor([0.6], dtype=torch.float64), partner)
    shares = pixels.double() / 255
    torch.testing.assert_close(mixed.double(), 0.6 * shares + 0.4 * shares[partner], rtol=0, atol=1e-6)


def test_the_area_is_the_partners_share_in_every_view() -> None:
    placed = MixUp(alpha=1.0).place(torch.empty(0, 1), torch.tensor([0.8], dtype=torch.float64), SIZES)
    area = MixUp().area(placed, 8, 4)
    assert area.dtype == torch.float32
    torch.testing.assert_close(area, torch.full((4,), 0.2))


@pytest.mark.parametrize("alpha", [0.2, 0.8, 1.0])
def test_the_kept_share_is_betas_quantile_at_the_batchs_uniform(alpha: float) -> None:
    op = MixUp(alpha=alpha)
    drawn = torch.tensor([(i + 0.5) / 4000 for i in range(4000)], dtype=torch.float64)
    kept = torch.cat([op.place(torch.empty(0, 1), uniform[None], SIZES) for uniform in drawn])
    assert kept.mean().item() == pytest.approx(0.5, abs=1e-4)
    assert kept.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.01)


def test_beta_of_a_half_is_the_arcsine_law() -> None:
    assert MixUp(alpha=0.5).kept(0.2) == pytest.approx(math.sin(math.pi * 0.2 / 2) ** 2)


def test_a_batch_draws_one_share_and_a_partner_for_each_view() -> None:
    batch = render(Held(noise(6, 8)))
    drawn = uniforms(KEY.seed, "mixup", KEY.epoch, KEY.batch, (1 + 6,))
    assert batch.partner_rows is not None
    assert batch.area is not None
    assert batch.partner_rows.tolist() == sorted(range(6), key=lambda view: float(drawn[1 + view]))
    assert batch.area.tolist() == pytest.approx([1 - MixUp().kept(float(drawn[0]))] * 6)
    shares = noise(6, 8).double() / 255
    expected = (1 - batch.area[0].double()) * shares + batch.area[0].double() * shares[batch.partner_rows]
    torch.testing.assert_close(batch.pixels.double(), expected, rtol=0, atol=1e-6)


def test_the_same_key_mixes_the_same_bits_for_any_number_of_threads_and_another_key_others() -> None:
    store, before = Held(noise(9, 33)), torch.get_num_threads()
    batch = render(store)
    try:
        torch.set_num_threads(2)
        again = render(store)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(batch.pixels, again.pixels)
    for other in (ViewKey(8, 3, 2), ViewKey(7, 4, 2), ViewKey(7, 3, 1)):
        assert not torch.equal(batch.pixels, render(store, other).pixels)


def test_the_store_is_not_written_to() -> None:
    store = Held(noise(6, 8))
    render(store)
    assert torch.equal(store.images, noise(6, 8))


def test_a_mixed_batch_is_normalised_like_any_other() -> None:
    batch = render(Held(noise(6, 8)))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    expected = (batch.pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(Normaliser(mean, std)(batch.pixels), expected)
    assert torch.equal(batch.images, batch.pixels)


def test_hard_labels_weigh_both_classes_by_their_shares_of_the_view() -> None:
    batch = render(Held(noise(6, 8)))
    assert batch.partner_hard is not None
    assert batch.area is not None
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    supervision = HardTargets()
    losses = supervision.loss(logits, supervision.targets(batch))
    for view in range(6):
        logs = logits[view].double() - logits[view].double().exp().sum().log()
        own, other = int(batch.hard[view]), int(batch.partner_hard[view])
        share = batch.area[view].item()
        assert losses[view].item() == pytest.approx(-(1 - share) * logs[own].item() - share * logs[other].item())


def test_the_weights_of_both_labels_sum_to_one() -> None:
    """Logits that give every class the same probability lose log 3 whatever the labels, if their weights sum to 1."""
    for number in range(20):
        batch = render(Held(noise(6, 8)), ViewKey(0, 0, number))
        supervision = HardTargets()
        losses = supervision.loss(torch.zeros(6, 3), supervision.targets(batch))
        torch.testing.assert_close(losses, torch.full((6,), math.log(3)))
