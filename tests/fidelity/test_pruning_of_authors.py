"""Pruning beside its authors' code: numbers that their functions gave once, on the small inputs beside them.

Each file of ``pruning/`` names the repository, commit and function that was run, and how. No code of theirs is here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from rethinkdc.pruning import (
    LastLayer,
    Points,
    ascending,
    boundary_distances,
    contrast,
    cosine_similarity,
    cover_strata,
    drop_highest,
    dual_beta_weights,
    epoch_mean,
    farthest_first,
    forgetting_events,
    gather_scores,
    join,
    locate_facilities,
    log_probabilities,
    match_gradients,
    median_distances,
    middle,
    nearest_before,
    nearest_neighbours,
    nearest_prototypes,
    pick_apart,
    pick_by_step,
    spread,
    spread_of_the_uncertain,
    standardised,
    variation,
    windowed_mean,
)
from rethinkdc.pruning.strata import strata_of
from rethinkdc.types import Predictions

FOLDER = Path(__file__).with_name("pruning")


class Golden(NamedTuple):
    """What went into a function of the authors', and what came out."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]


def golden(name: str) -> Golden:
    """Lists as tensors, float64 or int64."""
    read = json.loads((FOLDER / f"{name}.json").read_text())

    def tensors(values: dict[str, Any]) -> dict[str, Any]:
        def tensor(value: list[Any]) -> Tensor:
            made = torch.tensor(value)
            return made.to(torch.float64) if made.is_floating_point() else made

        return {key: tensor(value) if isinstance(value, list) else value for key, value in values.items()}

    return Golden(tensors(read["inputs"]), tensors(read["outputs"]))


def near(values: Tensor, *, within: float = 1e-6) -> Any:
    return pytest.approx(values.flatten().tolist(), rel=within, abs=within)


def test_every_file_says_how_it_was_made() -> None:
    files = sorted(FOLDER.glob("*.json"))
    assert len(files) >= 12
    for file in files:
        read = json.loads(file.read_text())
        assert set(read) == {"repository", "commit", "function", "how", "inputs", "outputs"}, file.name
        assert len(read["commit"]) == 40, file.name


class Dynamics(NamedTuple):
    """Columns of a trace: [T, N]."""

    p: Tensor
    margin: Tensor
    correct: Tensor
    error: Tensor


def dynamics(inputs: dict[str, Any]) -> Dynamics:
    probabilities, targets = torch.softmax(inputs["logits"], 2), inputs["targets"]
    own = torch.nn.functional.one_hot(targets, probabilities.shape[2])
    p = (probabilities * own).sum(2)
    others = probabilities.masked_fill(own.bool(), 0).amax(2)
    correct = (inputs["logits"].argmax(2) == targets).double()
    return Dynamics(p, p - others, correct, (probabilities - own).norm(dim=2))


def test_forgetting_counts_as_its_authors_and_without_the_never_learned_as_ccs() -> None:
    inputs, authors = golden("forgetting_toneva")
    correct, epochs = dynamics(inputs).correct, len(inputs["logits"])
    assert forgetting_events(correct, float(epochs)).tolist() == authors["forgetting"].tolist()
    ccs = golden("dynamics_ccs").outputs["forgetting"]
    assert forgetting_events(correct, 0.0).tolist() == ccs.tolist()
    # The two rows that are never right are where they part.
    assert int((authors["forgetting"] != ccs).sum()) == 2


def test_aum_and_el2n_rank_as_the_sums_of_ccs() -> None:
    inputs, ccs = golden("dynamics_ccs")
    seen = dynamics(inputs)
    assert (epoch_mean(seen.margin) * len(seen.margin)).tolist() == near(ccs["accumulated_margin"])
    # Theirs adds up the first ten epochs.
    assert (epoch_mean(seen.error[:10]) * 10).tolist() == near(ccs["el2n"])


def test_dual_is_ten_times_smaller_than_its_authors() -> None:
    inputs, authors = golden("dual")
    assert (10 * windowed_mean(dynamics(inputs).p, 4, spread_of_the_uncertain)).tolist() == near(authors["score"])


def test_dyn_unc_is_ten_times_smaller_than_its_authors_and_reads_the_last_epoch_too() -> None:
    inputs, authors = golden("dyn_unc")
    p = dynamics(inputs).p
    assert (10 * windowed_mean(p[:-1], 4, spread)).tolist() == near(authors["score"])


def test_ccs_cuts_and_draws_as_many_of_each_stratum() -> None:
    """Which of two strata of one size gets the odd row is chance in theirs: how their unstable sort leaves them."""
    inputs, authors = golden("ccs")
    scores, ranks = -inputs["margin"], torch.randperm(120, generator=torch.Generator().manual_seed(1))
    left = drop_highest(scores, ranks, inputs["cut"])
    assert left.tolist() == authors["left"].tolist()
    found = cover_strata(scores[left], inputs["count"], 50, ranks[left])
    stratum = strata_of(scores[left], 50)
    # Theirs run from the hard end.
    sizes, drawn = (torch.bincount(rows, minlength=50).flip(0).tolist() for rows in (stratum, stratum[found]))
    theirs = authors["drawn"].tolist()
    assert [given for size, given in zip(sizes, drawn, strict=True) if size < 2] == [
        given for size, given in zip(sizes, theirs, strict=True) if size < 2
    ]
    assert sorted(zip(sizes, drawn, strict=True)) == sorted(zip(sizes, theirs, strict=True))


def test_moderate_keeps_the_same_rows() -> None:
    inputs, authors = golden("moderate")
    distances = median_distances(inputs["features"], inputs["targets"])
    assert distances.tolist() == near(authors["distance"])
    assert middle(distances, inputs["count"]).sort().values.tolist() == authors["kept"].tolist()


@pytest.mark.parametrize("rate", ["0.3", "0.9"])
def test_dual_draws_with_the_same_chances(rate: str) -> None:
    inputs, authors = golden("dual_beta")
    means = epoch_mean(inputs["probabilities"])
    weights = dual_beta_weights(inputs["score"], means, 1 - float(rate), exponent=4)
    assert torch.softmax(weights, 0).tolist() == near(authors[rate])


def test_cal_finds_the_same_neighbours_and_the_same_contrast() -> None:
    inputs, authors = golden("cal")
    found = nearest_neighbours(inputs["features"], inputs["neighbours"])
    assert found.positions.tolist() == authors["knn"].tolist()
    logs = torch.log_softmax(inputs["logits"], 1)
    assert contrast(logs, torch.arange(20), found, symmetric=True).tolist() == near(authors["score"])


def test_contextual_diversity_makes_the_same_picks() -> None:
    inputs, authors = golden("contextual_diversity")
    rows = torch.tensor([inputs["first"], *(row for row in range(24) if row != inputs["first"])])
    picks = farthest_first(log_probabilities(inputs["logits"], rows, 1e-8), 12)
    assert rows[picks].tolist() == authors["picks"].tolist()


@pytest.mark.parametrize("count", [2, 4, 6])
def test_gradmatch_picks_and_weighs_alike(count: int) -> None:
    inputs, authors = golden("gradmatch")
    made = Predictions(inputs["features"], inputs["logits"])
    found = match_gradients(LastLayer(made, inputs["targets"], torch.arange(24)), count, 1.0)
    assert found.weights is not None
    ours = torch.zeros(24, dtype=torch.float64).scatter_(0, found.picks, found.weights)
    assert ours.tolist() == near(authors[f"cords {count}"], within=1e-5)
    # DeepCore matches the mean of the 24 gradients, in float32.
    assert ours.tolist() == near(24 * authors[f"weights {count}"], within=1e-5)


@pytest.mark.parametrize("step", ["0.05", "0.5"])
def test_glister_makes_the_same_picks_of_all_classes_under_one_loss(step: str) -> None:
    inputs, authors = golden("glister")
    layer = LastLayer(Predictions(inputs["features"], inputs["logits"]), inputs["targets"], torch.arange(24))
    found = pick_by_step(layer, torch.zeros(24, dtype=torch.int64), [12], inputs["rounds"], float(step))
    assert found.picks.tolist() == authors[f"picks {step}"].tolist()
    assert found.restarts == 0


@pytest.mark.parametrize("gamma", ["0.1", "1.0"])
@pytest.mark.parametrize("graph", ["undirected", "directed"])
def test_d2_passes_the_same_messages_and_makes_the_same_picks(graph: str, gamma: str) -> None:
    inputs, authors = golden("d2")
    edges = join(nearest_neighbours(inputs["features"], inputs["neighbours"]), both_ways=graph == "undirected")
    gathered = gather_scores(inputs["scores"], edges)
    # Theirs lets no score pass on less than 1e-7.
    assert gathered.tolist() == near(authors[f"{graph} gathered"])
    assert pick_apart(gathered, edges, 12, float(gamma)).tolist() == authors[f"{graph} {gamma}"].tolist()


def test_weighted_facility_location_makes_the_same_picks() -> None:
    inputs, authors = golden("weighted_facility_location")
    similarity = cosine_similarity(Points(inputs["features"], torch.arange(18)))
    picks = locate_facilities(similarity, 18, len(authors["picks"]), inputs["weights"].double())
    assert picks.tolist() == authors["picks"].tolist()


def test_deepfool_goes_as_far_and_orders_the_rows_alike() -> None:
    """Ours steps 1e-6 over each boundary; theirs, as rounding has it, may stop upon it."""
    inputs, authors = golden("deepfool")
    first, bias, second, end = (inputs[name].float() for name in ("W1", "b1", "W2", "b2"))

    def network(points: Tensor) -> Tensor:
        hidden: Tensor = torch.tanh(points.flatten(1) @ first.T + bias)
        logits: Tensor = hidden @ second.T + end
        return logits

    found = boundary_distances(network, inputs["inputs"].float(), classes=4, iterations=50, overshoot=1e-6)
    assert found.square().tolist() == near(authors["squared"], within=1e-3)
    assert ascending(found).tolist() == ascending(authors["squared"]).tolist()


def test_semdedup_sorts_each_cluster_and_finds_the_same_duplicates() -> None:
    """The distances are also those of SSP, which its authors' other code computes alike."""
    inputs, authors = golden("semdedup")
    centres = inputs["centres"] / inputs["centres"].norm(dim=1, keepdim=True)
    found = nearest_prototypes(inputs["features"], torch.arange(24), centres)
    assert found.labels.tolist() == authors["nearest"].tolist()
    assert (1 - found.cosines).tolist() == near(authors["distance"])
    for cluster, name in enumerate(("first", "second", "third")):
        rows = (found.labels == cluster).nonzero().flatten()
        rows = rows[ascending(found.cosines[rows], 1.0)]
        assert rows.tolist() == authors[name].tolist()
        assert nearest_before(inputs["features"], rows).tolist() == near(authors["similarity"][rows])


def test_vog_is_the_same_before_and_after_it_is_standardised_by_class() -> None:
    inputs, authors = golden("vog")
    found = variation(inputs["gradients"])
    assert found.tolist() == near(authors["raw"])
    assert standardised(found, inputs["targets"]).tolist() == near(authors["normalised"])
