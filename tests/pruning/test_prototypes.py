"""Clusters of directions, and who stands before whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.pruning import prototypes
from rethinkdc.pruning.prototypes import find_prototypes, nearest_before, nearest_prototypes
from rethinkdc.seeds import generator
from rethinkdc.training.checkpoint import Resumable


def clouds(seed: int, rows: int = 40) -> Tensor:
    """Rows around four directions, of any length."""
    draws = generator(seed)
    points = torch.eye(4)[torch.arange(rows) % 4] + 0.1 * torch.randn((rows, 4), generator=draws)
    return points * (0.5 + torch.rand((rows, 1), generator=draws))


def test_clouds_of_directions_are_found_whatever_their_lengths() -> None:
    points = clouds(0)
    found = find_prototypes(points, torch.arange(40), 4, 50)
    assert found.labels.tolist() == [row % 4 for row in range(40)]
    assert found.centres.norm(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert float(found.cosines.min()) > 0.9


@given(st.integers(0, 300), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_where_it_settles_each_centre_is_the_direction_of_its_rows(seed: int, count: int) -> None:
    points, rows = torch.randn((24, 3), generator=generator(seed)), torch.randperm(24, generator=generator(seed + 1))
    found = find_prototypes(points, rows, count, 200)
    unit = torch.nn.functional.normalize(points.double()[rows], dim=1)
    assert found.labels.tolist() == (unit @ found.centres.T).argmax(1).tolist()
    for cluster in found.labels.unique().tolist():
        mean = torch.nn.functional.normalize(unit[found.labels == cluster].sum(0), dim=0)
        assert found.centres[cluster].tolist() == pytest.approx(mean.tolist(), abs=1e-9)


def test_more_iterations_never_come_less_near() -> None:
    points = torch.randn((60, 5), generator=generator(3))
    near = [float(find_prototypes(points, torch.arange(60), 6, times).cosines.sum()) for times in range(1, 8)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(near))


def test_a_centre_that_loses_its_rows_goes_on_from_the_row_farthest_from_its_own() -> None:
    """The first two centres are one direction: the second gets no row."""
    points = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    found = find_prototypes(points, torch.arange(4), 2, 10)
    assert found.labels.tolist() == [0, 0, 0, 1]


def test_rows_of_length_0_are_far_from_all() -> None:
    found = nearest_prototypes(torch.zeros((2, 3)), torch.arange(2), torch.eye(3, dtype=torch.float64))
    assert found.labels.tolist() == [0, 0]
    assert found.cosines.tolist() == [0.0, 0.0]


@given(st.integers(0, 300), st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_the_largest_cosine_before_is_that_of_all_pairs(seed: int, rows: int) -> None:
    points = torch.randn((rows, 3), generator=generator(seed))
    order = torch.randperm(rows, generator=generator(seed + 1))
    unit = torch.nn.functional.normalize(points.double()[order], dim=1)
    wanted = (unit @ unit.T).triu(diagonal=1).amax(0) if rows else unit.sum(1)
    assert nearest_before(points, order).tolist() == pytest.approx(wanted.tolist(), abs=1e-12)


def test_neither_depends_on_how_many_numbers_are_worked_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    points, rows = torch.randn((30, 4), generator=generator(5)), torch.arange(30)
    whole = find_prototypes(points, rows, 3, 20), nearest_before(points, rows)
    monkeypatch.setattr(prototypes, "_CHUNK_NUMBERS", 40)
    parted = find_prototypes(points, rows, 3, 20), nearest_before(points, rows)
    assert torch.equal(whole[0].labels, parted[0].labels)
    assert whole[0].centres.flatten().tolist() == pytest.approx(parted[0].centres.flatten().tolist(), abs=1e-12)
    assert whole[1].tolist() == pytest.approx(parted[1].tolist(), abs=1e-12)


class Dying(Resumable):
    """Keeps its state at each pass, and is killed after every so many."""

    def __init__(self, folder: Path, dies: int) -> None:
        super().__init__(folder, "clusters", 0, lambda: None, lambda *_: None)
        self.passes, self.dies = 0, dies

    def keep(self, state: Callable[[], dict[str, Any]], *, now: bool = False, done: int | None = None) -> bool:
        self.passes += 1
        written = super().keep(state, now=now, done=done)
        if self.passes == self.dies:
            raise KeyboardInterrupt
        return written


def test_a_clustering_that_is_killed_goes_on_to_the_same_bits_and_makes_no_pass_twice(tmp_path: Path) -> None:
    points, rows = torch.randn((200, 4), generator=generator(7)), torch.arange(200)
    (tmp_path / "whole").mkdir()
    kept = Dying(tmp_path / "whole", 1000)
    whole, found, passes = find_prototypes(points, rows, 8, 100, kept), None, 0
    while found is None:
        dying = Dying(tmp_path, 3)
        with suppress(KeyboardInterrupt):
            found = find_prototypes(points, rows, 8, 100, dying)
        passes += dying.passes
    assert passes == kept.passes > 3
    assert all(torch.equal(one, other) for one, other in zip(found, whole, strict=True))
