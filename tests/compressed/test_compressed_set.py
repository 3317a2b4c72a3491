"""Rows and canvases behind one face."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.compressed import Card, CompressedSet, grid_boxes
from rethinkdc.errors import RequestError
from rethinkdc.seeds import generator
from rethinkdc.testing import images
from rethinkdc.types import Images, ViewRule

NAMES = ("a", "b", "c")


def part(count: int, size: int = 6, seed: int = 0, **extra: Tensor) -> dict[str, Tensor]:
    draws = generator(seed)
    return {
        "canvases": torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draws),
        "targets": torch.randint(0, 3, (count,), generator=draws),
        **extra,
    }


@given(st.integers(1, 64), st.integers(1, 16))
def test_any_grid_divides_any_size(size: int, grid: int) -> None:
    """Each pixel lies in exactly one cell, and no two cells differ by more than a pixel on a side."""
    owners = torch.zeros(size, size, dtype=torch.int64)
    boxes = grid_boxes(size, grid)
    assert boxes.shape == (grid**2, 4)
    assert boxes.dtype == torch.int32
    for y, x, height, width in boxes.tolist():
        owners[y : y + height, x : x + width] += 1
    assert bool((owners == 1).all())
    assert {int(side) for side in boxes[:, 2:].unique()} <= {size // grid, -(-size // grid)}


def test_three_cells_of_ten_pixels_have_edges_at_3_and_7() -> None:
    spans = [(0, 3), (3, 4), (7, 3)]
    assert grid_boxes(10, 3).tolist() == [[y, x, h, w] for y, h in spans for x, w in spans]


def test_an_edge_in_the_middle_of_a_pixel_is_rounded_up() -> None:
    assert grid_boxes(5, 2)[:, [1, 3]].tolist()[:2] == [[0, 3], [3, 2]]


def test_a_subset_shows_the_rows_that_it_names() -> None:
    data = images(classes=3, per_class=4)
    rows = torch.tensor([11, 0, 5])
    made = CompressedSet.of_rows(data, rows)
    assert len(made) == 3
    assert made.targets.tolist() == [2, 0, 1]
    assert made.sources.tolist() == [[11], [0], [5]]
    assert (made.cells, made.size, made.parts, made.weights) == (1, None, [], None)
    assert isinstance(made, Images)
    wanted = torch.tensor([2, 1])
    assert torch.equal(made.canvases(wanted, 7), data.canvases(torch.tensor([5, 0]), 7))
    assert all(torch.equal(*pair) for pair in zip(made.native(wanted), data.native(torch.tensor([5, 0])), strict=True))


@pytest.mark.parametrize(
    ("rows", "message"), [([0, 12], r"outside 0\.\.11"), ([-1], r"outside 0\.\.11"), ([3, 3], "twice")]
)
def test_rows_that_do_not_exist_or_come_twice_are_refused(rows: list[int], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        CompressedSet.of_rows(images(classes=3, per_class=4), torch.tensor(rows))


def test_rows_are_gathered_from_the_parts_that_hold_them() -> None:
    parts = [part(3, seed=1), part(1, seed=2), part(4, seed=3)]
    made = CompressedSet.of_canvases(parts, NAMES)
    joined = torch.cat([one["canvases"] for one in parts])
    assert made.targets.tolist() == torch.cat([one["targets"] for one in parts]).tolist()
    for rows in (torch.arange(8), torch.tensor([7, 0, 3, 2, 3, 4]), torch.tensor([], dtype=torch.int64)):
        found = made.canvases(rows, 6)
        assert torch.equal(found, joined[rows])
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(made.native(torch.tensor([3]))[0], joined[3])
    assert made.size == 6
    assert made.sources.tolist() == [[-1]] * 8


def test_the_fingerprint_does_not_depend_on_how_the_canvases_lie() -> None:
    whole = part(5)
    split = [{key: value[rows] for key, value in whole.items()} for rows in (slice(0, 2), slice(2, 5))]
    nhwc = {**whole, "canvases": whole["canvases"].contiguous(memory_format=torch.channels_last)}
    prints = {CompressedSet.of_canvases(parts, NAMES).fingerprint for parts in ([whole], split, [nhwc])}
    assert len(prints) == 1


def test_the_fingerprint_tells_everything_that_a_student_sees() -> None:
    data = images(classes=3, per_class=4)
    rows = torch.tensor([1, 5, 9])
    sets = [
        CompressedSet.of_rows(data, rows),
        CompressedSet.of_rows(data, rows.flip(0)),
        CompressedSet.of_rows(data, rows, torch.tensor([1.0, 1, 2])),
        CompressedSet.of_rows(images(classes=3, per_class=4, seed=1), rows),
        CompressedSet.of_canvases([part(3)], NAMES),
        CompressedSet.of_canvases([part(3)], ("a", "b", "d")),
        CompressedSet.of_canvases([part(3, seed=1)], NAMES),
        CompressedSet.of_canvases([part(3)], NAMES, view_rule=ViewRule(scope="cell")),
        CompressedSet.of_canvases([part(3)], NAMES, cell_boxes=grid_boxes(6, 2)),
        CompressedSet.of_canvases([part(3)], NAMES, cell_boxes=grid_boxes(6, 3)),
        CompressedSet.of_canvases([part(3, soft_targets=torch.eye(3))], NAMES),
    ]
    assert len({made.fingerprint for made in sets}) == len(sets)
    assert sets[0].with_card(Card(method="random")).fingerprint == CompressedSet.of_rows(data, rows).fingerprint


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12))
def test_weights_have_mean_1_keep_their_ratios_and_stay_when_normalised_again(weights: list[float]) -> None:
    data = images(classes=3, per_class=4)
    given_ = torch.tensor(weights, dtype=torch.float64)
    made = CompressedSet.of_rows(data, torch.arange(len(weights)), given_).weights
    assert made is not None
    assert made.dtype == torch.float32
    assert float(made.double().mean()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(made.double() / made[0].double(), given_ / given_[0], rtol=1e-6)
    again = CompressedSet.of_rows(data, torch.arange(len(weights)), made).weights
    assert again is not None
    assert torch.equal(again, made)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], "3 finite numbers"),
        ([1.0, float("nan"), 1.0], "3 finite"),
        ([1.0, -1.0, 1.0], "not negative"),
        ([0.0] * 3, "All weights are zero"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        CompressedSet.of_rows(images(), torch.arange(3), torch.tensor(weights))


@pytest.mark.parametrize(
    ("canvases", "message"),
    [
        ([torch.zeros(2, 3, 6, 6)], "uint8"),
        ([torch.zeros(2, 3, 6, 5, dtype=torch.uint8)], r"\[2, 3, 6, 5\]"),
        ([torch.zeros(2, 1, 6, 6, dtype=torch.uint8)], r"\[2, 1, 6, 6\]"),
        ([torch.zeros(1, 3, s, s, dtype=torch.uint8) for s in (6, 7)], "one size"),
    ],
)
def test_canvases_of_a_wrong_form_are_refused(canvases: list[Tensor], message: str) -> None:
    parts = [{"canvases": one, "targets": torch.zeros(len(one), dtype=torch.int64)} for one in canvases]
    with pytest.raises(RequestError, match=message):
        CompressedSet.of_canvases(parts, NAMES)


def test_classes_and_sources_are_counted() -> None:
    extra: dict[str, Any] = {"sources": torch.tensor([[4, 5], [5, 4], [7, -1], [-1, -1]])}
    one = {**part(4, **extra), "targets": torch.tensor([0, 0, 2, 1])}
    made = CompressedSet.of_canvases([one], NAMES, cell_boxes=grid_boxes(6, 1).repeat(2, 1))
    assert made.histogram() == [2, 1, 1]
    assert made.sources_per_class() == [2, 0, 1]


def test_one_row_shown_in_two_classes_counts_in_both() -> None:
    one = {**part(2, sources=torch.tensor([[4], [4]])), "targets": torch.tensor([0, 1])}
    assert CompressedSet.of_canvases([one], NAMES).sources_per_class() == [1, 1, 0]


def test_whole_canvases_are_one_cell() -> None:
    assert CompressedSet.of_canvases([part(2)], NAMES).cell_boxes.tolist() == [[0, 0, 6, 6]]
