"""Seeds, budgets and batches."""

from __future__ import annotations

import hashlib
from itertools import combinations

import pytest
import torch
from pydantic import ValidationError

from rethinkdc.seeds import AXES, Seeds, derive_seed, generator
from rethinkdc.types import Budget, ViewBatch, ViewKey


def test_a_derived_seed_is_the_first_63_bits_of_a_sha_256_of_its_path() -> None:
    first = hashlib.sha256(b"0/set/random").digest()[:8]
    assert derive_seed(0, "set", "random") == int.from_bytes(first, "little") >> 1


def test_derived_seeds_never_change() -> None:
    """Pinned: another value here means that every set and every student of every record is another one."""
    assert derive_seed(0) == 2033344993903900207
    assert derive_seed(0, "set", "random") == 2059840890312799435
    assert derive_seed(7, "student", "init") == 8493312182483238977
    assert derive_seed(1, "a", 2) == 1746432839994673124
    assert torch.randperm(8, generator=generator(derive_seed(0, "set", "random"))).tolist() == [5, 1, 2, 4, 0, 3, 7, 6]


def test_every_axis_has_streams_of_its_own() -> None:
    seeds = Seeds.all(3)
    streams = [seeds.of(axis, name) for axis in AXES for name in ("init", "order")]
    assert len(set(streams)) == len(streams)
    assert all(0 <= stream < 2**63 for stream in streams)


def test_an_axis_does_not_move_the_others() -> None:
    for one, other in combinations(AXES, 2):
        moved = Seeds.all(0).model_copy(update={one: 1})
        assert moved.of(one, "x") != Seeds.all(0).of(one, "x")
        assert moved.of(other, "x") == Seeds.all(0).of(other, "x")


def test_all_sets_every_axis_and_the_default_is_zero() -> None:
    assert Seeds.all(5).model_dump() == dict.fromkeys(AXES, 5)
    assert Seeds() == Seeds.all(0)
    with pytest.raises(ValidationError):
        Seeds.model_validate({"teachr": 1})


def test_generators_of_one_seed_draw_alike_and_leave_the_global_one_alone() -> None:
    state = torch.get_rng_state()
    draws = [torch.rand(4, generator=generator(11)) for _ in range(2)]
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_budget_counts_canvases() -> None:
    assert Budget(ipc=3, classes=7, size=8).total == 21


def test_a_batch_of_bytes_is_shown_between_0_and_1_and_a_float_one_as_it_is() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    rows = torch.zeros(1, dtype=torch.int64)
    batch = ViewBatch(pixels, rows, rows, ViewKey(0, 0, 0))
    assert torch.allclose(batch.images.flatten(), torch.tensor([0.0, 0.2, 1.0]))
    floating = ViewBatch(pixels.double(), rows, rows, ViewKey(0, 0, 0))
    assert floating.images is floating.pixels
