"""Rows and canvases behind one face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.compressed import Card, CompressedSet, grid_boxes, set_of_tensors
from rethinkdc.data import DecodedImages
from rethinkdc.errors import RequestError, UnsupportedError
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
def test_any_grid_up_to_the_size_divides_it(size: int, grid: int) -> None:
    """Each pixel lies in exactly one cell, and no two cells differ by more than a pixel on a side."""
    if grid > size:
        with pytest.raises(UnsupportedError, match=f"The largest grid here is {size}"):
            grid_boxes(size, grid)
        return
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


# -- fingerprints that records know ------------------------------------------------------------------------------------


def counted(*shape: int, start: int = 0) -> Tensor:
    """Bytes that no generator draws, so that a pin depends on nothing else."""
    count = torch.Size(shape).numel()
    return ((torch.arange(start, start + count) * 7919) % 251).to(torch.uint8).view(*shape)


def counted_part(count: int, start: int = 0, **extra: Tensor) -> dict[str, Tensor]:
    return {"canvases": counted(count, 3, 6, 6, start=start), "targets": torch.arange(count) % 3, **extra}


def subset(weights: Tensor | None = None) -> CompressedSet:
    data = DecodedImages(counted(12, 3, 9, 11), torch.arange(3).repeat_interleave(4), ["a", "b", "c"])
    return CompressedSet.of_rows(data, torch.tensor([11, 0, 5]), weights)


def logits(count: int) -> Tensor:
    return torch.arange(count * 3).view(count, 3) / 7


def of_cells() -> CompressedSet:
    boxes = torch.ones(5, 4, 4, dtype=torch.int32)
    one = counted_part(5, sources=torch.arange(20).view(5, 4) - 1, source_boxes=boxes)
    rule = ViewRule(scope="cell", choice="cycle", scale=(0.3, 1.0))
    return CompressedSet.of_canvases([one], NAMES, cell_boxes=grid_boxes(6, 2), view_rule=rule)


def of_two_parts() -> CompressedSet:
    first = counted_part(3, weights=torch.arange(1.0, 4), soft_targets=logits(3))
    second = counted_part(2, 500, weights=torch.arange(1.0, 3), soft_targets=logits(2))
    return CompressedSet.of_canvases([first, second], ("a b", "ü", "c"))


def of_tensors() -> CompressedSet:
    targets, weights = torch.tensor([0, 1, 1, 2]), torch.arange(1.0, 5)
    return set_of_tensors(counted(4, 3, 8, 8), targets, weights=weights, soft_targets=logits(4))


PINS: dict[str, tuple[Callable[[], CompressedSet], str]] = {
    "subset": (subset, "80c4714e1a36f5434711b2b6e3b0ab11ac7b69ca7d5100d0aef4cd67a405fcd1"),
    "weighted subset": (
        lambda: subset(torch.tensor([1.0, 0.5, 3.0])),
        "f9d042ef6464216885dc5b9a71d4c9f72575f8112e35ac68a58a0ad981b0c5b0",
    ),
    "canvases": (
        lambda: CompressedSet.of_canvases([counted_part(5)], NAMES),
        "87637d35985dafedde1cc848863c88adaecf537e4ad830c0eda58db9bc437233",
    ),
    "cells and rule": (of_cells, "5241c6d42938651a7d84467b3ddf6490fd6076eebc3b0af6860bc4578246dfd4"),
    "soft targets": (
        lambda: CompressedSet.of_canvases([counted_part(5, soft_targets=logits(5))], NAMES),
        "01deaeac6c886cceaa6d74afd7f5ef3dfa72029ead4e48ec51f0e9e48aaf73a0",
    ),
    "two parts": (of_two_parts, "8312958c983209af044f961611e47807085de1c05c52f3fb328f967459fbcaf6"),
    "tensors": (of_tensors, "22f20169a2517cc27562c10202e4b64263df7e1452663430a01edd372077aaa2"),
}


@pytest.mark.parametrize("case", PINS)
def test_a_set_keeps_the_fingerprint_that_records_know_it_by(case: str) -> None:
    make, pin = PINS[case]
    assert make().fingerprint == pin


# -- frozen ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in fields(CompressedSet)] + ["fingerprint", "another"])
def test_nothing_of_a_set_can_be_assigned(name: str) -> None:
    made = of_two_parts()
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, None)


@pytest.mark.parametrize("case", PINS)
def test_another_card_is_another_set_that_shares_pixels_and_fingerprint(case: str) -> None:
    made = PINS[case][0]()
    carded = made.with_card(Card(method="mine"))
    assert (made.card.method, carded.card.method) == (of_tensors().card.method, "mine")
    assert carded.backing is made.backing
    assert carded.fingerprint == made.fingerprint


def test_other_classes_are_another_set_whose_learned_labels_follow() -> None:
    made = of_two_parts()
    names, places = ("ü", "c", "a b"), torch.tensor([2, 0, 1])
    moved = made.with_classes(names, places)
    assert made.class_names == ("a b", "ü", "c")
    assert made.fingerprint == PINS["two parts"][1] != moved.fingerprint
    assert [moved.class_names[label] for label in moved.targets] == [made.class_names[label] for label in made.targets]
    assert made.soft_targets is not None
    assert moved.soft_targets is not None
    for column, name in enumerate(made.class_names):
        assert torch.equal(moved.soft_targets[:, names.index(name)], made.soft_targets[:, column])
    assert moved.weights is not None
    assert made.weights is not None
    assert torch.equal(moved.weights, made.weights)
    assert moved.backing is made.backing


def test_a_set_does_not_follow_the_rows_that_it_was_made_of() -> None:
    rows = torch.tensor([1, 5, 9])
    made = CompressedSet.of_rows(images(classes=3, per_class=4), rows)
    rows[0] = 2
    assert made.rows is not None
    assert made.rows.tolist() == made.sources.flatten().tolist() == [1, 5, 9]


# -- what assembling keeps ---------------------------------------------------------------------------------------------


def rate(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_one_rate_of_all_parts_or_given_once_is_the_sets() -> None:
    parts = [part(2, seed=seed) for seed in range(2)]
    stated = [{**one, "student_lr": rate(0.02)} for one in parts]
    assert CompressedSet.of_canvases(parts, NAMES).student_lr is None
    assert CompressedSet.of_canvases(stated, NAMES).student_lr == 0.02
    assert CompressedSet.of_canvases(parts, NAMES, student_lr=0.02).student_lr == 0.02
    assert CompressedSet.of_canvases(stated, NAMES, student_lr=0.02).student_lr == 0.02
    assert CompressedSet.of_rows(images(), torch.arange(3), student_lr=0.02).student_lr == 0.02


def test_a_learned_rate_is_part_of_the_fingerprint() -> None:
    plain = of_two_parts()
    prints = {plain.fingerprint, *(replace(plain, student_lr=value).fingerprint for value in (0.01, 0.02))}
    assert len(prints) == 3


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
def test_a_rate_that_trains_nothing_is_refused(value: float) -> None:
    with pytest.raises(RequestError, match="student_lr must be a positive finite number; found"):
        CompressedSet.of_canvases([part(2)], NAMES, student_lr=value)


MISFITS: dict[str, tuple[list[dict[str, Tensor]], str]] = {
    "two rates": ([part(2, student_lr=rate(0.1)), part(2, student_lr=rate(0.2))], r"its parts state 0\.1, 0\.2"),
    "a rate of two numbers": ([part(2, student_lr=torch.ones(2))], r"one number; part 0 holds torch.float32 \[2\]"),
    "a rate of one part only": ([part(2, student_lr=rate(0.1)), part(2)], "Part 1 .* lacks student_lr"),
    "labels of the last part only": ([part(2), part(2, soft_targets=torch.eye(3)[:2])], "Part 0 .* lacks soft_targets"),
    "weights of the first part only": ([part(2, weights=torch.ones(2)), part(2)], "Part 1 .* lacks weights"),
    "a name that no set has": ([part(2, soft_labels=torch.eye(3)[:2])], "'soft_labels'.* Did you mean 'soft_targets'"),
    "no targets": ([{"canvases": counted(2, 3, 6, 6)}], "Part 0 .* lacks targets; it holds canvases"),
    "too few weights": ([part(3, weights=torch.ones(2))], "3 canvases but 2 weights"),
    "labels of other classes": ([part(2, soft_targets=torch.ones(2, 4))], r"\[2, 3\]; found \[2, 4\]"),
    "no parts": ([], "at least one part"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_parts_that_do_not_fit_together_are_refused_and_never_cut(case: str) -> None:
    parts, message = MISFITS[case]
    with pytest.raises(RequestError, match=message):
        CompressedSet.of_canvases(parts, NAMES)
