"""Selectors on scores: which rows they keep, by hand on scores that a file gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import DataError, RequestError, UnsupportedError
from rethinkdc.row_files.files import write_row_file
from rethinkdc.seeds import Seeds, generator
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

BUDGET = Budget(ipc=3, classes=4, size=8)
DATA = images(classes=4, per_class=20)


def score_file(folder: Path, scores: Tensor) -> str:
    return str(write_row_file({"scores": scores}, {"fingerprint": DATA.fingerprint}, folder / "scores")[0])


def made(folder: Path, compressor: str, seeds: Seeds | None = None, budget: Budget = BUDGET) -> Tensor:
    found = context(folder, data=DATA, seeds=seeds).compress(compressor, DATA, budget)
    assert found.rows is not None
    return found.rows


def test_scores_of_a_file_select_as_the_score_itself_does(tmp_path: Path) -> None:
    here = context(tmp_path, data=DATA)
    path = score_file(tmp_path, here.score("el2n"))
    for name in ("select:direction=easy", "pca:grid=1"):
        method, _, rest = name.partition(":")
        own = here.compress(f"{method}:score=el2n,{rest}", DATA, BUDGET)
        assert torch.equal(own.sources, here.compress(f"{method}:scores={path},{rest}", DATA, BUDGET).sources)


def test_a_file_whose_larger_numbers_are_easy_is_turned_round(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("\n".join(str(row) for row in range(80)))
    path = tmp_path / "scores.csv"
    assert made(tmp_path, f"file:path={path},direction=hard").tolist()[:3] == [19, 18, 17]
    assert made(tmp_path, f"file:path={path},negate=true,direction=hard").tolist()[:3] == [0, 1, 2]


def test_a_file_with_a_missing_number_is_refused(tmp_path: Path) -> None:
    scores = torch.arange(80.0)
    scores[5] = float("nan")
    with pytest.raises(DataError, match=r"1 rows without a number"):
        made(tmp_path, f"file:path={score_file(tmp_path, scores)},direction=hard")


def test_ccs_drops_the_hardest_of_each_class_and_covers_the_rest(tmp_path: Path) -> None:
    scores = torch.arange(80.0)
    rows = made(tmp_path, f"ccs:scores={score_file(tmp_path, scores)},cut=0.25")
    within = (rows % 20).view(4, 3)
    # 15 rows of each class are left: three strata of five, one row of each.
    assert (within // 5).tolist() == [[0, 1, 2]] * 4


def test_ccs_may_cut_by_another_score(tmp_path: Path) -> None:
    scores = torch.arange(80.0)
    path, other = score_file(tmp_path, scores), tmp_path / "other.csv"
    other.write_text("\n".join(str(-row) for row in range(80)))
    rows = made(tmp_path, f"ccs:scores={path},cut=0.5,cut_by=[file:path={other}]")
    assert int((rows % 20).min()) >= 10


def test_ccs_without_balance_covers_the_whole_range_at_once(tmp_path: Path) -> None:
    rows = made(tmp_path, f"ccs:scores={score_file(tmp_path, torch.arange(80.0))},cut=0.0,balance=none,strata=4")
    assert torch.bincount(rows // 20, minlength=4).tolist() == [3, 3, 3, 3]


def test_duals_draw_follows_its_seed_and_prefers_easy_rows_at_high_rates(tmp_path: Path) -> None:
    first, again, other = (
        made(tmp_path / name, "dual-beta", Seeds(set=seed)) for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    here = context(tmp_path, data=DATA)
    means = here.trace().column("train.p", 1, 2).mean(0)
    drawn = torch.cat([made(tmp_path / str(seed), "dual-beta:balance=none", Seeds(set=seed)) for seed in range(6)])
    assert float(means[drawn].mean()) > float(means.mean())


def test_duals_draw_needs_a_score_of_windows(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="windows of epochs"):
        made(tmp_path, "dual-beta:score=el2n")


def test_rows_of_a_file_are_the_set(tmp_path: Path) -> None:
    rows = torch.cat([torch.arange(3) + 20 * index for index in (2, 0, 1, 3)])
    path, _ = write_row_file({"rows": rows, "weights": torch.rand(12, generator=generator(0))}, {}, tmp_path / "picks")
    found = context(tmp_path, data=DATA).compress(f"rows:path={path}", DATA, BUDGET)
    assert found.rows is not None
    assert found.rows.tolist() == rows.tolist()
    assert found.weights is not None
    assert float(found.weights.mean()) == pytest.approx(1.0)


def test_rows_that_are_not_the_budget_are_refused(tmp_path: Path) -> None:
    path, _ = write_row_file({"rows": torch.arange(8)}, {}, tmp_path / "picks")
    with pytest.raises(DataError, match=r"lists 8 rows; 3 per class of 4 classes are 12\. The --ipc that fits is 2;"):
        made(tmp_path, f"rows:path={path}")
    even = Budget(ipc=2, classes=4, size=8)
    # The list says how many rows of each class there are.
    assert made(tmp_path, f"rows:path={path}", budget=even).tolist() == list(range(8))
    assert made(tmp_path, f"rows:path={path},balance=none", budget=even).tolist() == list(range(8))
    with pytest.raises(UnsupportedError, match="exactly 2 rows of every class"):
        made(tmp_path, f"combine:select=[rows:path={path}],grid=1", budget=even)


def test_any_selector_may_be_combined(tmp_path: Path) -> None:
    here = context(tmp_path, data=DATA)
    tiled = here.compress("combine:select=ccs,grid=2", DATA, BUDGET)
    assert tiled.cells == 4
    chosen = here.compress("ccs", DATA, Budget(ipc=12, classes=4, size=8))
    assert torch.equal(tiled.sources.flatten().sort().values, chosen.sources.flatten().sort().values)


def test_a_canvas_weighs_as_the_rows_that_it_shows(tmp_path: Path) -> None:
    rows = torch.arange(80).view(4, 20)[:, :12].flatten()
    weights = torch.rand(48, generator=generator(1))
    path, _ = write_row_file({"rows": rows, "weights": weights}, {}, tmp_path / "picks")
    tiled = context(tmp_path, data=DATA).compress(f"combine:select=[rows:path={path}],grid=2", DATA, BUDGET)
    assert tiled.weights is not None
    wanted = torch.zeros(80).scatter_(0, rows, weights)[tiled.sources].mean(1)
    assert torch.allclose(tiled.weights, wanted / wanted.mean())


@pytest.mark.parametrize("score", ["entropy", "margin", "least-confidence"])
@pytest.mark.parametrize("balance", ["class", "none"])
def test_the_uncertain_are_kept_with_and_without_balance(tmp_path: Path, score: str, balance: str) -> None:
    """An unbalanced selection that turned the order round would keep the most certain rows."""
    here = context(tmp_path, data=DATA)
    uncertain = here.score(score)
    kept = uncertain[made(tmp_path, f"{score}:direction=hard,balance={balance}")]
    assert float(kept.mean()) > float(uncertain.mean())
