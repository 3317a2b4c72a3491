"""The controls: what they keep of the baseline, and what they take away."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rethinkdc.combination.canvases import permute_patches
from rethinkdc.contracts.context import Context
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import UnsupportedError
from rethinkdc.seeds import Seeds, generator
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

SIZE, CLASSES = 8, 4
BUDGET = Budget(ipc=3, classes=CLASSES, size=SIZE)


@pytest.fixture
def surroundings(tmp_path: Path) -> Context:
    return context(tmp_path, ipc=3)


def stored(surroundings: Context, reference: str, ipc: int = 3) -> torch.Tensor:
    budget = BUDGET.model_copy(update={"ipc": ipc})
    made = surroundings.compress(reference, surroundings.data, budget)
    return made.canvases(torch.arange(len(made)), SIZE)


@pytest.mark.parametrize("control", ["shuffled", "shuffled:patches=2", "wrong-class"])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_control_of_random_has_the_very_rows_of_random(control: str, seed: int, tmp_path: Path) -> None:
    here = context(tmp_path, ipc=3, seeds=Seeds.all(seed))
    rows = here.compress("random", here.data, BUDGET).sources
    assert here.compress(control, here.data, BUDGET).sources.tolist() == rows.tolist()


def test_shuffling_keeps_every_histogram_and_no_place(surroundings: Context) -> None:
    plain, shuffled = stored(surroundings, "random"), stored(surroundings, "shuffled")
    moved = 0
    for before, after in zip(plain, shuffled, strict=True):
        # Whole pixels, with their colours together.
        colours = [sorted(map(tuple, image.flatten(1).T.tolist())) for image in (before, after)]
        assert colours[0] == colours[1]
        moved += int((before != after).any(0).sum())
    assert moved > 0.9 * len(plain) * SIZE**2


def test_each_canvas_is_shuffled_in_an_order_of_its_own(tmp_path: Path) -> None:
    """Images whose pixels are all different and the same in every image: the orders are seen as they are."""
    pixels = torch.arange(SIZE**2, dtype=torch.uint8).view(1, 1, SIZE, SIZE).expand(12, 3, SIZE, SIZE).contiguous()
    data = DecodedImages(pixels, torch.arange(4).repeat_interleave(3), ("a", "b", "c", "d"))
    here = context(tmp_path, data=data, ipc=3)
    orders = {tuple(canvas[0].flatten().tolist()) for canvas in stored(here, "shuffled")}
    assert len(orders) == 12
    assert all(sorted(order) == list(range(SIZE**2)) for order in orders)


def test_patches_move_whole() -> None:
    pixels = torch.randint(0, 256, (3, 3, 6, 6), generator=generator(0), dtype=torch.uint8)
    orders = torch.stack([torch.randperm(9, generator=generator(seed)) for seed in range(3)])
    found = permute_patches(pixels, orders, 3)
    for canvas, source, order in zip(found, pixels, orders.tolist(), strict=True):
        for place, patch in enumerate(order):
            y, x, top, left = 2 * (place // 3), 2 * (place % 3), 2 * (patch // 3), 2 * (patch % 3)
            assert torch.equal(canvas[:, y : y + 2, x : x + 2], source[:, top : top + 2, left : left + 2])


def test_patches_that_do_not_divide_the_canvas_are_refused(surroundings: Context) -> None:
    with pytest.raises(UnsupportedError, match="3 patches per side do not divide canvases of 8 px"):
        surroundings.compress("shuffled:patches=3", surroundings.data, BUDGET)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_class_is_never_the_right_one_and_the_classes_stay_balanced(seed: int, tmp_path: Path) -> None:
    here = context(tmp_path, data=images(classes=5), seeds=Seeds.all(seed), ipc=3)
    made = here.compress("wrong-class", here.data, Budget(ipc=3, classes=5, size=SIZE))
    right = here.data.targets[made.sources[:, 0]]
    assert made.histogram() == [3] * 5
    pairs = {(int(one), int(other)) for one, other in zip(right, made.targets, strict=True)}
    assert len(pairs) == 5
    assert all(one != other for one, other in pairs)
    assert {other for _, other in pairs} == set(range(5))


def test_wrong_classes_change_no_pixel(surroundings: Context) -> None:
    assert torch.equal(stored(surroundings, "wrong-class"), stored(surroundings, "random"))


def test_a_single_class_has_no_wrong_one(tmp_path: Path) -> None:
    here = context(tmp_path, data=images(classes=1))
    with pytest.raises(UnsupportedError, match="needs a second class"):
        here.compress("wrong-class", here.data, Budget(ipc=1, classes=1, size=SIZE))


def test_uniform_noise_has_every_grey_level(surroundings: Context) -> None:
    counts = stored(surroundings, "noise", ipc=100).flatten().bincount(minlength=256).double()
    expected = float(counts.mean())
    # 76,800 pixels: 300 of each level, give or take five standard deviations.
    assert float((counts - expected).abs().max()) < 5 * expected**0.5


def test_gaussian_noise_has_the_moments_that_the_protocol_states_where_none_is_clamped(tmp_path: Path) -> None:
    plain = context(tmp_path).protocol.override(
        {"proxy.mean": [0.4, 0.5, 0.6], "proxy.std": [0.05, 0.1, 0.08]},
    )
    here = context(tmp_path, protocol=plain, short=False)
    found = stored(here, "noise:distribution=gaussian", ipc=100).double() / 255
    assert found.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0.4, 0.5, 0.6], abs=0.005)
    assert found.std(dim=(0, 2, 3)).tolist() == pytest.approx([0.05, 0.1, 0.08], abs=0.005)


def test_noise_shows_no_training_row_and_begins_as_a_smaller_set_does(surroundings: Context) -> None:
    made = surroundings.compress("noise", surroundings.data, BUDGET)
    assert made.sources.unique().tolist() == [-1]
    few, many = stored(surroundings, "noise", ipc=1), stored(surroundings, "noise", ipc=3)
    assert torch.equal(few, many[::3])
    assert len(many.flatten(1).unique(dim=0)) == len(many)
