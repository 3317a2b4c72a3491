"""Scores of a draw of the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.contracts.context import Context
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.plugins.pruning.cal import CAL
from rethinkdc.plugins.pruning.deepfool import DeepFool
from rethinkdc.plugins.pruning.grand_full import GraNdFull
from rethinkdc.pruning.pooled import PooledScore
from rethinkdc.seeds import Seeds, generator
from rethinkdc.testing import context, images
from rethinkdc.types import Images


class RowNumber(PooledScore):
    """Each row's own number."""

    name = "row-number"

    def of_rows(self, data: Images, rows: torch.Tensor, context: Context) -> torch.Tensor:
        return rows.double()


class Drawing:
    """The part of a context that draws."""

    def generator(self, *names: Any) -> torch.Generator:
        assert names == ("set", "pool")
        return generator(3)


DRAWING: Any = Drawing()


def of_classes(*sizes: int) -> DecodedImages:
    targets = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    targets = targets[torch.randperm(len(targets), generator=generator(0))]
    pixels = torch.zeros((len(targets), 3, 1, 1), dtype=torch.uint8)
    return DecodedImages(pixels, targets, [str(index) for index in range(len(sizes))])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(1, 60))
def test_a_pool_is_exact_and_takes_the_same_share_of_each_class(sizes: list[int], pool: int) -> None:
    data, method = of_classes(*sizes), RowNumber(pool=pool)
    rows = method.pool_rows(data, DRAWING)
    assert len(rows) == min(pool, len(data)) == method.pooled(len(data))
    assert rows.tolist() == sorted(set(rows.tolist()))
    counts = torch.bincount(data.targets[rows], minlength=len(sizes)).tolist()
    for count, size in zip(counts, sizes, strict=True):
        assert abs(count - size * len(rows) / len(data)) < 1


def test_rows_outside_the_pool_have_no_score() -> None:
    data, method = of_classes(6, 6), RowNumber(pool=5)
    found = method.score(data, DRAWING)
    assert found.dtype == torch.float32
    scored = ~torch.isnan(found)
    assert scored.nonzero().flatten().tolist() == method.pool_rows(data, DRAWING).tolist()
    assert torch.equal(found[scored], scored.nonzero().flatten().float())
    assert not torch.isnan(RowNumber().score(data, DRAWING)).any()


def test_another_set_seed_draws_another_pool(tmp_path: Path) -> None:
    data = images()
    one, other = (
        RowNumber(pool=20).pool_rows(data, context(tmp_path, data=data, seeds=Seeds(set=seed))) for seed in (0, 1)
    )
    assert not torch.equal(one, other)


@pytest.mark.parametrize("method", [CAL(k=3), DeepFool(), GraNdFull()], ids=lambda method: method.name)
def test_a_row_has_the_same_score_in_any_pool(method: PooledScore, tmp_path: Path) -> None:
    here = context(tmp_path)
    whole = method.score(here.data, here)
    part = method.model_copy(update={"pool": 30}).score(here.data, here)
    scored = ~torch.isnan(part)
    assert int(scored.sum()) == 30
    assert torch.allclose(part[scored], whole[scored], rtol=1e-3)
