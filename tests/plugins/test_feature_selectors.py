"""Selectors that read what the proxy says of each row."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rethinkdc.data.chunks import at_once
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.plugins.pruning.contextual_diversity import ContextualDiversity
from rethinkdc.plugins.pruning.craig import Craig
from rethinkdc.plugins.pruning.d2 import D2
from rethinkdc.plugins.pruning.facility_location import FacilityLocation
from rethinkdc.plugins.pruning.glister import Glister
from rethinkdc.plugins.pruning.gradmatch import GradMatch
from rethinkdc.plugins.pruning.graph_cut import GraphCut
from rethinkdc.plugins.pruning.herding import Herding
from rethinkdc.plugins.pruning.k_center import KCenter
from rethinkdc.plugins.pruning.k_means import KMeans
from rethinkdc.plugins.pruning.moderate import Moderate
from rethinkdc.plugins.pruning.semdedup import SemDeDup
from rethinkdc.plugins.pruning.weighted_facility_location import WeightedFacilityLocation
from rethinkdc.pruning.classwise import Choice
from rethinkdc.pruning.selector import Selector
from rethinkdc.seeds import generator
from rethinkdc.testing import context
from rethinkdc.training.predict import predict_batches
from rethinkdc.types import Budget, Predictions

BALANCES: tuple[Any, ...] = ("class", None)
SELECTORS: tuple[Selector, ...] = tuple(
    made
    for balance in BALANCES
    for made in (
        KMeans(balance=balance),
        Moderate(balance=balance),
        SemDeDup(balance=balance),
        SemDeDup(clusters=1, keep="random", balance=balance),
        D2(balance=balance),
        D2(direction="easy", cut=0.1, k_nn=3, graph="directed", balance=balance),
        GradMatch(balance=balance),
        GradMatch(lam=0.0, balance=balance),
        Glister(balance=balance, rounds=2),
        ContextualDiversity(balance=balance),
        Herding(balance=balance),
        KCenter(balance=balance),
        KCenter(robust=0.2, balance=balance),
        GraphCut(balance=balance),
        GraphCut(lam=2.0, space="features", balance=balance),
        FacilityLocation(balance=balance),
        WeightedFacilityLocation(balance=balance),
        Craig(balance=balance),
    )
)
GEOMETRY = (Herding(), KCenter(), GraphCut(), FacilityLocation(), WeightedFacilityLocation(), Craig())
each_selector = pytest.mark.parametrize("method", SELECTORS, ids=lambda method: f"{method.name}-{method.changed()}")


@dataclass
class Predicted:
    """The part of a context that these selectors need."""

    made: Predictions
    scores: Tensor
    notes: dict[str, Any] = field(default_factory=dict)

    def predictions(self) -> Predictions:
        return self.made

    def features(self) -> Tensor:
        return self.made.features

    def score(self, _: Any) -> Tensor:
        return self.scores

    def resumable(self, _: str) -> None:
        return None

    def chunks(self, *given: Any, **named: Any) -> Any:
        return at_once(*given, **named)

    def note(self, **facts: Any) -> None:
        self.notes.update(facts)

    def generator(self, *_: Any) -> torch.Generator:
        return generator(5)


def surroundings(seed: int, rows: int, classes: int = 3, copies: int = 1) -> Predicted:
    draws = generator(seed)
    values = [torch.randn((rows // copies, width), generator=draws).repeat(copies, 1) for width in (4, classes, 1)]
    return Predicted(Predictions(values[0], values[1]), values[2][:, 0])


def chosen(method: Selector, here: Predicted, targets: Tensor, ipc: int, ranks: Tensor) -> Choice:
    classes = int(targets.max()) + 1
    data = DecodedImages(torch.zeros((len(targets), 3, 1, 1), dtype=torch.uint8), targets, ["class"] * classes)
    budget = Budget(ipc=ipc, classes=classes, size=1)
    surrounding: Any = here
    return method.choice(data, budget, ranks, surrounding)


@each_selector
@given(order=st.permutations(range(24)), seed=st.integers(0, 100), copies=st.sampled_from([1, 2, 6]))
@settings(max_examples=8, deadline=None)
def test_the_picked_images_do_not_depend_on_the_order_of_the_rows(
    method: Selector, order: list[int], seed: int, copies: int
) -> None:
    moved, here = torch.tensor(order), surroundings(seed, 24, copies=copies)
    targets, ranks = torch.arange(24) % 3, torch.randperm(24, generator=generator(seed))
    there = Predicted(Predictions(*(table[moved] for table in here.made)), here.scores[moved])
    one = chosen(method, here, targets, 3, ranks)
    other = chosen(method, there, targets[moved], 3, ranks[moved])
    assert moved[other.picks].tolist() == one.picks.tolist()
    if one.weights is not None:
        assert other.weights is not None
        assert other.weights.tolist() == pytest.approx(one.weights.tolist())


@each_selector
@given(ipc=st.integers(1, 4), seed=st.integers(0, 50), copies=st.sampled_from([1, 5]))
@settings(max_examples=10, deadline=None)
def test_the_budget_is_exact_and_no_row_is_picked_twice(method: Selector, ipc: int, seed: int, copies: int) -> None:
    targets = torch.arange(20).div(5, rounding_mode="floor")
    found = chosen(method, surroundings(seed, 20, 4, copies), targets, ipc, torch.randperm(20))
    assert len(set(found.picks.tolist())) == 4 * ipc
    if method.balanced:
        assert targets[found.picks].tolist() == [0] * ipc + [1] * ipc + [2] * ipc + [3] * ipc
    if found.weights is not None:
        assert bool((found.weights >= 0).all())
        assert bool(found.weights.any())


@each_selector
def test_one_class_and_classes_of_one_row_and_all_rows_of_a_class_can_be_picked(method: Selector) -> None:
    whole = {"cut": 0.0} if isinstance(method, D2) else {}
    method = method.model_copy(update=whole)
    one_class = torch.zeros(6, dtype=torch.int64)
    assert len(chosen(method, surroundings(0, 6), one_class, 2, torch.arange(6)).picks) == 2
    for targets, ipc in ((torch.arange(3), 1), (torch.tensor([0, 1, 2] * 2), 2), (one_class, 6)):
        found = chosen(method, surroundings(1, len(targets)), targets, ipc, torch.arange(len(targets)))
        assert sorted(found.picks.tolist()) == list(range(len(targets)))


@pytest.mark.parametrize(
    "method", [KMeans(), GradMatch(), Glister(), ContextualDiversity(), *GEOMETRY], ids=lambda made: made.name
)
def test_where_all_rows_are_copies_the_ranks_decide(method: Selector) -> None:
    here = surroundings(0, 12, 1, copies=12)
    found = chosen(method, here, torch.zeros(12, dtype=torch.int64), 3, torch.arange(12).flip(0))
    assert found.picks.tolist() == [11, 10, 9]


@pytest.mark.parametrize(
    "method",
    [KMeans(), Moderate(), D2(), GradMatch(), Glister(), ContextualDiversity(), *GEOMETRY],
    ids=lambda made: made.name,
)
def test_a_row_of_which_the_proxy_says_nothing_finite_is_named(
    method: Selector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, original = context(tmp_path), predict_batches

    def diverged(*given: Any, **named: Any) -> Any:
        for rows, logits, features in original(*given, **named):
            features[rows == 7] = float("nan")
            yield rows, logits, features

    monkeypatch.setattr("rethinkdc.protocol.proxy.predict_batches", diverged)
    monkeypatch.setattr(type(here), "score", lambda *_: torch.zeros(80))
    budget = Budget(ipc=2, classes=4, size=8)
    with pytest.raises(RequestError, match="training row 7 is not finite"):
        method.compress(here.data, budget, here)


def test_the_weights_of_gradmatch_reach_the_set(tmp_path: Path) -> None:
    here = context(tmp_path)
    weights = here.compress("gradmatch", here.data, Budget(ipc=3, classes=4, size=8)).weights
    assert weights is not None
    assert weights.dtype == torch.float32
    assert float(weights.mean()) == pytest.approx(1)
    # The sums of the classes tell how far each is from being learned.
    assert len(set(weights.view(4, 3).sum(1).tolist())) == 4


def test_the_weights_of_craig_reach_the_set_and_add_up_alike_in_each_class(tmp_path: Path) -> None:
    here = context(tmp_path)
    weights = here.compress("craig", here.data, Budget(ipc=3, classes=4, size=8)).weights
    assert weights is not None
    assert weights.view(4, 3).sum(1).tolist() == pytest.approx([3.0] * 4)


def test_a_score_that_weighs_the_rows_draws_the_picks_to_its_end() -> None:
    """Two clusters at right angles, the second with the higher scores."""
    features = torch.tensor([[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 4)
    here = Predicted(Predictions(features, torch.zeros(10, 1)), torch.tensor([0.0] * 6 + [5.0] * 4))
    targets, ranks = torch.zeros(10, dtype=torch.int64), torch.arange(10)
    hard, easy = WeightedFacilityLocation(direction="hard"), WeightedFacilityLocation(direction="easy")
    assert chosen(hard, here, targets, 1, ranks).picks.tolist() == [6]
    assert chosen(easy, here, targets, 1, ranks).picks.tolist() == [0]


def test_a_row_without_a_score_cannot_be_weighed() -> None:
    here = surroundings(0, 10)
    here.scores[4] = float("nan")
    with pytest.raises(RequestError, match="of training row 4 is nan"):
        chosen(WeightedFacilityLocation(), here, torch.zeros(10, dtype=torch.int64), 2, torch.arange(10))


def test_semdedup_keeps_one_of_each_group_of_copies_before_a_second_of_any() -> None:
    features = torch.eye(4).repeat(3, 1)
    here = Predicted(Predictions(features, torch.zeros(12, 1)), torch.zeros(12))
    found = chosen(SemDeDup(clusters=2), here, torch.zeros(12, dtype=torch.int64), 4, torch.arange(12)).picks
    assert sorted((found % 4).tolist()) == [0, 1, 2, 3]
    assert here.notes == {"semdedup_eps": 1.0}
    chosen(SemDeDup(clusters=2), here, torch.zeros(12, dtype=torch.int64), 5, torch.arange(12))
    assert here.notes == {"semdedup_eps": pytest.approx(0.0)}


@pytest.mark.parametrize(("keep", "kept"), [("hard", 2), ("easy", 0)])
def test_semdedup_keeps_the_end_of_alike_rows_that_it_is_told_to(keep: Any, kept: int) -> None:
    """Three like rows, the third farthest from their centre."""
    features = torch.tensor([[1.0, 0.0], [1.0, -0.1], [1.0, 0.3]])
    here = Predicted(Predictions(features, torch.zeros(3, 1)), torch.zeros(3))
    found = chosen(SemDeDup(clusters=1, keep=keep), here, torch.zeros(3, dtype=torch.int64), 1, torch.arange(3))
    assert found.picks.tolist() == [kept]


def test_glister_notes_how_often_its_gradient_vanished() -> None:
    here = Predicted(Predictions(torch.ones(8, 2), torch.zeros(8, 2)), torch.zeros(8))
    chosen(Glister(step=90.0, rounds=2), here, torch.tensor([0] * 8), 4, torch.arange(8))
    assert here.notes == {"glister_vanished": 1}
    here.notes.clear()
    chosen(Glister(rounds=2), here, torch.tensor([0] * 8), 4, torch.arange(8))
    assert here.notes == {}


def test_moderate_of_all_rows_ranks_the_distances_of_all_classes_together() -> None:
    """Class 0 lies close to its median and class 1 far: the middle is where they meet."""
    values = torch.tensor([[-1.0], [-0.5], [0.0], [0.5], [1.0], [-9.0], [-8.0], [0.0], [8.0], [9.0]])
    here = Predicted(Predictions(values, torch.zeros(10, 2)), torch.zeros(10))
    targets, ranks = torch.tensor([0] * 5 + [1] * 5), torch.arange(10)
    assert sorted(chosen(Moderate(balance=None), here, targets, 2, ranks).picks.tolist()) == [0, 3, 4, 6]
    assert sorted(chosen(Moderate(), here, targets, 2, ranks).picks.tolist()) == [1, 3, 6, 8]


def d2_picks(scores: list[float], ipc: int, **values: Any) -> list[int]:
    """Of rows so far apart that no message arrives."""
    rows = len(scores)
    here = Predicted(Predictions(torch.arange(rows)[:, None] * 1e4, torch.zeros(rows, 1)), torch.tensor(scores))
    targets = torch.zeros(rows, dtype=torch.int64)
    return chosen(D2(gamma=1.0, **values), here, targets, ipc, torch.arange(rows)).picks.tolist()


def test_d2_keeps_the_end_that_it_is_told_to_and_cuts_the_hardest_first() -> None:
    """A score may be negative: AUM's reference implementation shifts it, and forgets its sign."""
    scores = [-3.0, 2.0, -1.0, 0.0, 1.0]
    assert d2_picks(scores, 2) == [1, 4]
    assert d2_picks(scores, 2, direction="easy") == [0, 2]
    assert d2_picks(scores, 2, cut=0.4) == [3, 2]
    assert d2_picks(scores, 2, cut=0.4, direction="easy") == [0, 2]


def test_d2_never_picks_what_was_not_scored() -> None:
    nan = float("nan")
    assert d2_picks([nan, 2.0, nan, 0.0, 1.0], 3) == [1, 4, 3]
    with pytest.raises(UnsupportedError, match="cannot pick 4 of 3 rows that are scored and not cut"):
        d2_picks([nan, 2.0, nan, 0.0, 1.0], 4)
    with pytest.raises(UnsupportedError, match="cannot pick 4 of 3 rows that are scored and not cut"):
        d2_picks([4.0, 2.0, 3.0, 0.0, 1.0], 4, cut=0.4)


def test_d2_refuses_a_score_that_drowns_all_others() -> None:
    with pytest.raises(RequestError, match="score forgetting:never_learned=zero of training row 1 is infinite"):
        d2_picks([0.0, float("inf"), 1.0], 1)


def test_contextual_diversity_takes_a_certain_row_for_far_and_not_for_undefined() -> None:
    """Without a floor a probability of 0 gives NaN, and the largest of some numbers and NaN is NaN."""
    logits = torch.tensor([[0.0, 0.0], [900.0, -900.0], [1.0, 0.0], [-900.0, 900.0]])
    here = Predicted(Predictions(torch.zeros(4, 1), logits), torch.zeros(4))
    targets = torch.zeros(4, dtype=torch.int64)
    assert chosen(ContextualDiversity(), here, targets, 4, torch.arange(4)).picks.tolist() == [0, 1, 3, 2]
