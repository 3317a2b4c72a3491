"""LPLD: batches of one class, matched to exact statistics of that class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.data.store import NativeStore
from rethinkdc.types import ViewKey, ViewRule
from rethinkdc.views import Flip, RandomResizedCrop, Views


@pytest.mark.parametrize("shown", ["views", "whole"])
def test_the_targets_are_the_statistics_of_the_class_by_brute_force(
    shown: str, inversions: Any, tmp_path: Path
) -> None:
    surroundings = inversions.here(tmp_path)
    watched = inversions.watch()
    inversions.made(surroundings, f"lpld:iterations=1,crop=true,flip=true,statistics={shown}")
    teacher, data = surroundings.teacher(), surroundings.data
    rows = torch.arange(len(data))
    if shown == "whole":
        pixels = teacher.test.render(data, rows)
    else:
        views = Views([RandomResizedCrop(), Flip()], None, size=8, rule=ViewRule(), cell_boxes=None)
        key = ViewKey(surroundings.seeds.of("set", "statistics"), 0, 0)
        pixels = views.render(NativeStore(data), rows, data.targets, key).pixels
    convolved: Tensor = teacher.module[0](teacher.normalised(pixels)).double()
    assert len(watched.calls) == 4
    for label, call in enumerate(watched.calls):
        assert call["labels"].tolist() == [label, label]
        values = convolved[data.targets == label].permute(1, 0, 2, 3).flatten(1)
        (target,) = call["turns"][0].matching.goals[0].targets["batchnorm"].values()
        assert torch.allclose(target.mean.double(), values.mean(dim=1), rtol=1e-4, atol=1e-5)
        assert torch.allclose(target.variance.double(), values.var(dim=1, correction=0), rtol=1e-4, atol=1e-6)


def test_the_authors_moving_average_is_that_of_a_loop(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rethinkdc.distillation.gathering.BATCH", 5)
    surroundings = inversions.here(tmp_path)
    watched = inversions.watch()
    inversions.made(surroundings, "lpld:iterations=1,average=moving,statistics=whole")
    teacher, data = surroundings.teacher(), surroundings.data
    order = torch.randperm(len(data), generator=surroundings.generator("set", "statistics-order"))
    pixels = teacher.test.render(data, order)
    convolved: Tensor = teacher.module[0](teacher.normalised(pixels)).double()
    for label, call in enumerate(watched.calls):
        mean, variance = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
        for start in range(0, len(data), 5):
            mine = data.targets[order[start : start + 5]] == label
            if not mine.any():
                continue
            values = convolved[start : start + 5][mine].permute(1, 0, 2, 3).flatten(1)
            mean = 0.9 * mean + 0.1 * values.mean(dim=1)
            variance = 0.9 * variance + 0.1 * values.var(dim=1, correction=0)
        (target,) = call["turns"][0].matching.goals[0].targets["batchnorm"].values()
        assert torch.allclose(target.mean.double(), mean, rtol=1e-4, atol=1e-5)
        assert torch.allclose(target.variance.double(), variance, rtol=1e-4, atol=1e-6)


def test_a_moving_average_has_a_place_of_its_own_in_the_cache_for_each_seed(inversions: Any, tmp_path: Path) -> None:
    for options, seed, kept in (("", 0, 1), (",average=moving", 0, 2), (",average=moving", 1, 3)):
        inversions.made(inversions.here(tmp_path, set=seed), f"lpld:iterations=1{options}")
        assert len(list((tmp_path / "cache" / "statistics").iterdir())) == kept


def test_the_pass_over_the_training_set_is_made_once(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    for options in ("", ",batch=1", ",lr=0.1"):
        inversions.made(surroundings, f"lpld:iterations=1{options}")
    assert len(list((tmp_path / "cache" / "statistics").iterdir())) == 1
    # Where nothing is drawn, another seed of the set asks for the same statistics.
    inversions.made(inversions.here(tmp_path, set=1), "lpld:iterations=1")
    assert len(list((tmp_path / "cache" / "statistics").iterdir())) == 1
    inversions.made(surroundings, "lpld:iterations=1,crop=true")
    assert len(list((tmp_path / "cache" / "statistics").iterdir())) == 2


def test_a_batch_is_a_whole_class_unless_told_otherwise(inversions: Any, tmp_path: Path) -> None:
    watched = inversions.watch()
    made = inversions.made(inversions.here(tmp_path), "lpld:iterations=1", ipc=3)
    assert [call["labels"].tolist() for call in watched.calls] == [[label] * 3 for label in range(4)]
    assert made.histogram() == [3, 3, 3, 3]
