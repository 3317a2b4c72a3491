"""What a plugin is given: artefacts computed once, parts that outlive a kill, and the budget's check."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet, check_budget
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.errors import ContractError
from rethinkdc.method import Method
from rethinkdc.plugins.pruning.el2n import EL2N
from rethinkdc.plugins.random.random import RandomScore, RandomSubset
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.types import Budget, Images

BUDGET = Budget(ipc=2, classes=4, size=8)


class Maker:
    """Makes part i as the number i, and remembers what it was asked for."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.fail_at, self.made = fail_at, list[int]()

    def __call__(self, index: int) -> dict[str, Tensor]:
        if index == self.fail_at:
            raise KeyboardInterrupt
        self.made.append(index)
        return {"value": torch.full((3, 2), index).t(), "square": torch.tensor([index**2])}


def values(parts: Any) -> list[int]:
    assert all(part["value"].shape == (2, 3) for part in parts)
    return [int(part["value"][0, 0]) for part in parts]


def test_parts_come_in_order_and_finished_ones_are_not_made_again(tmp_path: Path) -> None:
    interrupted, resumed, third = Maker(fail_at=2), Maker(), Maker()
    with pytest.raises(KeyboardInterrupt):
        context(tmp_path).parts(4, interrupted)
    assert values(context(tmp_path).parts(4, resumed)) == [0, 1, 2, 3]
    assert (interrupted.made, resumed.made) == ([0, 1], [2, 3])
    assert values(context(tmp_path).parts(4, third)) == [0, 1, 2, 3]
    assert third.made == []


def test_two_sets_of_parts_of_one_piece_of_work_are_kept_apart(tmp_path: Path) -> None:
    for _ in range(2):
        here = context(tmp_path)
        first = here.parts(2, lambda index: {"value": torch.tensor([index])})
        second = here.parts(2, lambda index: {"value": torch.tensor([index + 10])})
        assert [int(part["value"]) for part in (*first, *second)] == [0, 1, 10, 11]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.with_suffix(".sealed").unlink(),
        lambda path: path.with_suffix(".sealed").write_text("0 1.5"),
    ],
    ids=["truncated", "empty", "missing", "unsealed", "other-seal"],
)
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: Any) -> None:
    here = context(tmp_path)
    here.parts(3, Maker())
    damage(here.folder / "parts" / "part-00001.safetensors")
    again = Maker()
    assert values(context(tmp_path).parts(3, again)) == [0, 1, 2]
    assert again.made == [1]


def count_scores(monkeypatch: pytest.MonkeyPatch, kind: type[Method] = RandomScore) -> list[Seeds]:
    calls: list[Seeds] = []
    original = kind.score  # type: ignore[attr-defined]

    def counted(self: Any, data: Images, here: RunContext) -> Tensor:
        calls.append(here.seeds)
        found: Tensor = original(self, data, here)
        return found

    monkeypatch.setattr(kind, "score", counted)
    return calls


def test_a_score_is_computed_once_for_all_that_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_scores(monkeypatch)
    here = context(tmp_path)
    first = here.score("random")
    here.compress("select:score=random,direction=easy", here.data, BUDGET)
    here.compress("pca:score=random", here.data, BUDGET)
    again = replace(here, work=Work()).score("random")
    assert len(calls) == 1
    assert torch.equal(first, again)


def test_what_a_score_gives_cannot_be_spoiled_for_the_next(tmp_path: Path) -> None:
    here = context(tmp_path)
    first = here.score("random")
    kept = first.clone()
    first.zero_()
    assert torch.equal(here.score("random"), kept)


@pytest.mark.parametrize(
    ("change", "computed_again"),
    [
        ({"seeds": Seeds(set=1)}, True),
        ({"seeds": Seeds(student=1)}, False),
        ({"ipc": 3}, False),
        ({"data": images(seed=1)}, True),
    ],
    ids=["set-seed", "student-seed", "ipc", "data"],
)
def test_a_score_is_computed_again_when_what_it_depends_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], computed_again: bool
) -> None:
    calls = count_scores(monkeypatch)
    here = context(tmp_path)
    here.score("random")
    replace(here, **change).score("random")
    assert len(calls) == (2 if computed_again else 1)


def test_a_raised_revision_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_scores(monkeypatch)
    here = context(tmp_path)
    here.score("random")
    monkeypatch.setattr(RandomScore, "revision", RandomScore.revision + 1)
    here.score("random")
    assert len(calls) == 2


def test_notes_and_costs_come_back_from_a_cached_artefact(tmp_path: Path) -> None:
    """A record tells the cost of the proxy also when an earlier run trained it."""
    first = context(tmp_path)
    first.compress("el2n:direction=easy", first.data, BUDGET)
    second = context(tmp_path)
    second.compress("el2n:direction=easy", second.data, BUDGET)
    assert second.books.notes == first.books.notes
    assert second.books.notes.keys() >= {"proxy_accuracy", "ties_at_the_cut"}

    def stages(here: RunContext) -> dict[str, float]:
        return here.books.seconds

    assert stages(second) == stages(first)
    assert sorted(key.partition(":")[0] for key in stages(first)) == ["proxy", "selection", "selection"]
    assert all(value > 0 for value in stages(first).values())


def test_the_proxys_seconds_are_counted_once(tmp_path: Path) -> None:
    """The selection's own seconds leave out the proxy that it had to wait for."""
    here = context(tmp_path)
    here.compress("pca", here.data, BUDGET)
    seconds = {"proxy": 0.0, "selection": 0.0}
    for key, value in here.books.seconds.items():
        seconds[key.partition(":")[0]] += value
    assert seconds["proxy"] > 0
    assert seconds["proxy"] + seconds["selection"] <= here.books.nested + 1e-6


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can begin a new peak")
def test_the_memory_of_choosing_the_rows_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mebibyte, score = 1 << 20, EL2N.score

    def heavy(*given: Any) -> Any:
        torch.ones(60 * mebibyte, dtype=torch.uint8)
        return score(*given)

    monkeypatch.setattr(EL2N, "score", heavy)
    here = context(tmp_path)
    here.compress("el2n:direction=easy", here.data, BUDGET)
    peaks = [used for key, used in here.books.memory.items() if key.startswith("selection:")]
    assert len(peaks) == 2  # the scores, and the set
    assert 55 * mebibyte < max(peaks) < 120 * mebibyte
    again = context(tmp_path)
    again.compress("el2n:direction=easy", again.data, BUDGET)
    assert again.books.memory == here.books.memory


@pytest.mark.parametrize("wrong", [torch.rand(79), torch.rand(80, 1), torch.full((80,), float("nan"))])
def test_a_score_that_is_no_number_per_row_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Tensor
) -> None:
    monkeypatch.setattr(RandomScore, "score", lambda *_: wrong)
    with pytest.raises(ContractError, match="The score random must give 80 numbers for 80 rows"):
        context(tmp_path).score("random")


def test_infinite_scores_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.arange(80.0)
    given[3], given[4] = float("inf"), float("-inf")
    monkeypatch.setattr(RandomScore, "score", lambda *_: given)
    assert torch.equal(context(tmp_path).score("random"), given)


def test_ties_at_the_cut_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EL2N, "score", lambda *_: torch.zeros(80))
    here = context(tmp_path)
    made = here.compress("el2n:direction=easy", here.data, BUDGET)
    assert made.card.notes["ties_at_the_cut"] == here.books.notes["ties_at_the_cut"] == 4 * 18


def test_a_set_that_misses_its_budget_never_reaches_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compress(_: Method, data: Images, budget: Budget, __: RunContext) -> CompressedSet:
        return CompressedSet.of_rows(data, torch.arange(budget.total))

    monkeypatch.setattr(RandomSubset, "compress", compress)
    here = context(tmp_path)
    with pytest.raises(ContractError, match="random declares balance but returned 0 to 8 canvases per class, not 2"):
        here.compress("random", here.data, BUDGET)
    assert list((tmp_path / "cache" / "sets").glob("*")) == []


def canvas_set(count: int, size: int = 8, first: int = 0) -> CompressedSet:
    targets = (torch.arange(count) + first) % 4 if first >= 0 else torch.arange(count)
    return CompressedSet.of_canvases(
        [{"canvases": torch.zeros((count, 3, size, size), dtype=torch.uint8), "targets": targets}], tuple("abcd")
    )


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (canvas_set(8, size=9), "canvases of 9 px; the protocol stores 8 px"),
        (canvas_set(7), r"returned 7 canvases; the budget is 8 \(2 per class\)"),
        (canvas_set(8, first=-1), r"targets outside 0\.\.3"),
    ],
)
def test_a_wrong_set_is_refused_with_what_came_back(made: CompressedSet, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_budget(made, "mine", BUDGET, budgeted=True, balanced=False)


def test_a_set_of_the_right_total_needs_balance_only_where_it_is_declared() -> None:
    made = replace(canvas_set(8), targets=torch.tensor([0, 0, 0, 0, 1, 1, 2, 2]))
    check_budget(made, "mine", BUDGET, budgeted=True, balanced=False)
    with pytest.raises(ContractError, match="0 to 4 canvases per class, not 2"):
        check_budget(made, "mine", BUDGET, budgeted=True, balanced=True)
    check_budget(canvas_set(3), "full", BUDGET, budgeted=False, balanced=False)


def test_features_have_one_row_per_image_and_are_made_once(tmp_path: Path) -> None:
    here = context(tmp_path)
    found = here.features()
    assert found.shape[0] == len(here.data)
    assert found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    assert torch.equal(context(tmp_path).features(), found)
    assert len(list((tmp_path / "cache" / "predictions").glob("[!.]*"))) == 1


def test_the_proxy_follows_its_own_seed_only(tmp_path: Path) -> None:
    scores = [
        context(tmp_path, seeds=seeds).score("el2n")
        for seeds in (Seeds(), Seeds(set=1, teacher=1, labels=1, student=1), Seeds(proxy=1))
    ]
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])
    assert len(list((tmp_path / "cache" / "proxies").glob("[!.]*"))) == 2
