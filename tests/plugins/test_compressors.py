"""The compressors: which rows they keep, and what their canvases show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.contracts import Compressor
from rethinkdc.contracts.context import Context
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.resize import resize
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

SIZE = 8
Make = Callable[[str], CompressedSet]


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """One cache, so that one short proxy serves every test."""
    return context(tmp_path_factory.mktemp("compressors"), ipc=2)


@pytest.fixture(scope="module")
def data(surroundings: Context) -> DecodedImages:
    assert isinstance(surroundings.data, DecodedImages)
    return surroundings.data


@pytest.fixture(scope="module")
def make(surroundings: Context, data: DecodedImages) -> Make:
    return lambda reference: surroundings.compress(reference, data, budget())


def budget(ipc: int = 2) -> Budget:
    return Budget(ipc=ipc, classes=4, size=SIZE)


def ranked(scores: Tensor, targets: Tensor, count: int, *, hardest: bool) -> list[int]:
    """The rows of the lowest or highest scores of each class, by a plain sort."""
    found: list[int] = []
    for index in range(4):
        rows = (targets == index).nonzero().flatten().tolist()
        found += sorted(rows, key=lambda row: float(scores[row]), reverse=hardest)[:count]
    return found


def test_a_selection_keeps_the_lowest_or_highest_scores_of_each_class(
    surroundings: Context, data: DecodedImages, make: Make
) -> None:
    scores = surroundings.score("el2n")
    assert len(scores.unique()) == len(scores)
    easy, hard = make("el2n:direction=easy"), make("el2n:direction=hard")
    assert easy.sources[:, 0].tolist() == ranked(scores, data.targets, 2, hardest=False)
    assert hard.sources[:, 0].tolist() == ranked(scores, data.targets, 2, hardest=True)
    assert easy.histogram() == [2] * 4
    assert easy.targets.tolist() == data.targets[easy.sources[:, 0]].tolist()


def test_without_balance_one_ranking_serves_all_classes(surroundings: Context, make: Make) -> None:
    scores = surroundings.score("el2n")
    found = make("el2n:direction=easy,balance=none").sources[:, 0]
    assert found.tolist() == scores.argsort()[:8].tolist()


def test_pca_with_one_cell_keeps_the_rows_of_el2n_easy(make: Make, data: DecodedImages) -> None:
    pca, easy = make("pca:grid=1"), make("el2n:direction=easy")
    assert pca.sources.tolist() == easy.sources.tolist()
    assert pca.targets.tolist() == easy.targets.tolist()
    rows = torch.arange(8)
    assert torch.equal(pca.canvases(rows, SIZE), easy.canvases(rows, SIZE))


@pytest.mark.parametrize("grid", [2, 3])
def test_pca_shows_the_easiest_images_whole_each_in_its_cell(
    surroundings: Context, data: DecodedImages, make: Make, grid: int
) -> None:
    made = make(f"pca:grid={grid}")
    kept = ranked(surroundings.score("el2n"), data.targets, 2 * grid**2, hardest=False)
    assert made.sources.flatten().tolist() == kept
    assert made.targets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(made.cell_boxes, grid_boxes(SIZE, grid))
    canvases = made.canvases(torch.arange(8), SIZE)
    for canvas, sources in zip(canvases, made.sources, strict=True):
        for (y, x, height, width), row in zip(made.cell_boxes.tolist(), sources.tolist(), strict=True):
            wanted = resize([data.pixels[row]], (height, width))[0]
            assert torch.equal(canvas[:, y : y + height, x : x + width], wanted)
    assert made.source_boxes is not None
    assert made.source_boxes.tolist() == [[[0, 0, 9, 11]] * grid**2] * 8


def test_the_view_rule_of_pca_follows_its_parameters(make: Make) -> None:
    rule = make("pca").view_rule
    assert (rule.scope, rule.choice, rule.scale) == ("cell", "uniform", None)
    rule = make("pca:constrained=false,choice=cycle,scale=[0.5,1.0]").view_rule
    assert (rule.scope, rule.choice, rule.scale) == ("canvas", "cycle", (0.5, 1.0))


def test_pca_is_combine_on_its_selection(make: Make) -> None:
    pca, combined = make("pca:grid=2"), make("combine:select=[el2n:direction=easy]")
    assert pca.fingerprint == combined.fingerprint
    pca, combined = make("pca:score=random"), make("combine:select=[select:score=random,direction=easy]")
    assert pca.fingerprint == combined.fingerprint


def test_pca_of_random_scores_draws_as_many_random_rows_of_each_class_as_combine_of_random(
    make: Make, data: DecodedImages
) -> None:
    """Two draws of one kind: the rows differ, what is done with them does not."""
    pca, combined = make("pca:score=random"), make("combine:select=random")
    for made in (pca, combined):
        assert made.sources_per_class() == [8] * 4
        assert data.targets[made.sources].tolist() == [[target] * 4 for target in made.targets.tolist()]
    assert pca.targets.tolist() == combined.targets.tolist()
    assert (pca.view_rule, pca.cell_boxes.tolist()) == (combined.view_rule, combined.cell_boxes.tolist())
    assert set(pca.sources.flatten().tolist()) != set(combined.sources.flatten().tolist())


def test_combine_refuses_a_selection_that_would_mix_classes(make: Make) -> None:
    with pytest.raises(RequestError, match="the same number of each class"):
        make("combine:select=[el2n:direction=easy,balance=none]")


def test_random_is_balanced_and_another_seed_draws_others(tmp_path: Path, data: DecodedImages) -> None:
    one, other = (
        context(tmp_path / str(seed), data=data, seeds=Seeds(set=seed)).compress("random", data, budget(5))
        for seed in (0, 1)
    )
    assert one.histogram() == other.histogram() == [5] * 4
    assert one.sources_per_class() == [5] * 4
    assert one.sources.tolist() != other.sources.tolist()


def test_a_random_subset_does_not_follow_the_random_score(make: Make) -> None:
    """Two uses of one seed axis are independent draws."""
    subset, selected = make("random"), make("select:score=random,direction=easy")
    assert set(subset.sources.flatten().tolist()) != set(selected.sources.flatten().tolist())


def test_full_keeps_every_row_in_order(surroundings: Context, data: DecodedImages) -> None:
    made = surroundings.compress("full", data, Budget(ipc=0, classes=4, size=SIZE))
    assert made.sources.flatten().tolist() == list(range(len(data)))
    assert torch.equal(made.targets, data.targets)
    assert made.card.ipc is None


def test_the_card_says_where_a_set_comes_from(surroundings: Context, make: Make, data: DecodedImages) -> None:
    card = make("pca:grid=2").card
    assert (card.method, card.ipc, card.dataset_fingerprint) == ("pca", 2, data.fingerprint)
    assert card.seeds == dict.fromkeys(Seeds.model_fields, 0)
    assert card.definition["parameters"] == {}
    assert (card.protocol, card.protocol_digest) == (surroundings.protocol.id, surroundings.protocol.digest)
    assert 0 <= card.notes["proxy_accuracy"] <= 1


@pytest.mark.parametrize("reference", ["random", "select:score=random,direction=hard", "pca:score=random"])
def test_a_small_class_is_served_to_its_last_image_and_not_beyond(tmp_path: Path, reference: str) -> None:
    data = images(classes=4, per_class=8)
    here = context(tmp_path, data=data)
    cells = here.method(Compressor, reference).rows_per_canvas()
    made = here.compress(reference, data, budget(8 // cells))
    assert sorted(made.sources.flatten().tolist()) == list(range(32))
    with pytest.raises(UnsupportedError, match="Cannot pick"):
        here.compress(reference, data, budget(8 // cells + 1))
