"""CutMix on cases worked by hand."""

from __future__ import annotations

import pytest
import torch

from rethinkdc.views import CutMix, uniforms


def sizes(count: int, side: int) -> torch.Tensor:
    return torch.full((count, 2), side)


NO_VIEWS = torch.empty(0, 1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("kept", "down", "right", "box"),
    [
        (0.75, 0.5, 0.5, (3, 3, 4, 4)),  # side int(10 * 0.5) = 5, two pixels on either side of (5, 5)
        (0.64, 0.5, 0.5, (2, 2, 6, 6)),  # side 6
        (0.6751, 0.5, 0.5, (3, 3, 4, 4)),  # side int(5.7) = 5: cut down, not rounded
        (0.64, 0.0, 0.99, (0, 6, 3, 4)),  # centre (0, 9): cut off above and on the right
        (0.0, 0.5, 0.5, (0, 0, 10, 10)),  # everything
        (0.999, 0.5, 0.5, (5, 5, 0, 0)),  # nothing
    ],
)
def test_the_box_and_its_area_are_as_worked_by_hand(
    kept: float, down: float, right: float, box: tuple[int, int, int, int]
) -> None:
    placed = CutMix().place(NO_VIEWS, torch.tensor([kept, down, right], dtype=torch.float64), sizes(4, 10))
    assert tuple(placed.tolist()) == box
    area = CutMix().area(placed, 10, 4)
    assert area.dtype == torch.float32
    torch.testing.assert_close(area, torch.full((4,), box[2] * box[3] / 100))


def test_the_box_shows_the_partner_as_it_was_and_the_rest_stays() -> None:
    pixels = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 3, 8, 8)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    partner = torch.tensor([1, 2, 3, 4, 0])
    placed = torch.tensor([1, 2, 4, 5])
    mixed = CutMix().render(pixels.clone(), placed, partner)
    for view in range(5):
        inside = mixed[view, :, 1:5, 2:7]
        assert inside.eq(partner[view]).all()
        assert mixed[view].eq(view).sum() == 3 * (64 - inside[0].numel())
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_the_area_is_the_share_of_pixels_that_changed() -> None:
    op, count, side = CutMix(), 6, 32
    pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].repeat(1, 3, side, side)
    partner = torch.arange(count).roll(1)
    seen = set()
    for batch in range(50):
        placed = op.place(NO_VIEWS, uniforms(0, "cutmix", 0, batch, (3,)), sizes(count, side))
        changed = op.render(pixels.clone(), placed, partner).ne(pixels)[:, 0].float().mean((1, 2))
        torch.testing.assert_close(changed, op.area(placed, side, count))
        seen.add(changed[0].item())
    assert len(seen) > 30


def test_partners_are_a_permutation() -> None:
    partner = CutMix().partners(uniforms(0, "cutmix", 0, 0, (100, 1)))
    assert partner.sort().values.tolist() == list(range(100))
    assert partner.tolist() != list(range(100))


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_kept_share_follows_the_beta_distribution(alpha: float) -> None:
    op = CutMix(alpha=alpha)
    kept = torch.tensor([op.kept((i + 0.5) / 4000) for i in range(4000)], dtype=torch.float64)
    assert kept.mean().item() == pytest.approx(0.5, abs=1e-4)
    assert kept.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.01)
    assert bool((kept.diff() >= 0).all())


def test_of_batches_a_share_is_mixed_and_the_others_stay_as_they_are() -> None:
    op, always, sizes = CutMix(p=0.5), CutMix(), torch.tensor([[8, 8]])
    for share, stretched in ((0.1, 0.2), (0.4, 0.8)):
        placed = op.place(torch.zeros(1, 1), torch.tensor([share, 0.5, 0.5]), sizes)
        assert torch.equal(placed, always.place(torch.zeros(1, 1), torch.tensor([stretched, 0.5, 0.5]), sizes))
    for share in (0.5, 0.9):
        placed = op.place(torch.zeros(1, 1), torch.tensor([share, 0.5, 0.5]), sizes)
        assert op.area(placed, 8, 2).tolist() == [0.0, 0.0]
    assert always.model_dump() == {"op": "cutmix", "alpha": 1.0}
    assert op.model_dump() == {"op": "cutmix", "alpha": 1.0, "p": 0.5}
