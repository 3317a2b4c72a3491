"""Codes of a low-rank coding: what they lose, and where the loss comes from."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor

from rethinkdc.labels import LowRank, LowRankLearner
from rethinkdc.labels.low_rank import k_means, nearest, principal_directions
from rethinkdc.seeds import generator

CLASSES, RANK = 10, 4


def logits(count: int = 600, seed: int = 0) -> Tensor:
    """Four directions and a little of all others, with an offset for each view that no softmax sees."""
    draws = generator(seed)
    large = torch.randn((count, RANK), generator=draws) @ torch.randn((RANK, CLASSES), generator=generator(99))
    small = 0.05 * torch.randn((count, CLASSES), generator=draws)
    return 3 * large + small + 7 * torch.randn((count, 1), generator=draws) + 2


def centred(given: Tensor) -> Tensor:
    return given.double() - given.double().mean(dim=1, keepdim=True)


def learned(given: Tensor, rank: int = RANK, books: int = 2, codes: int = 16) -> LowRank:
    learner = LowRankLearner(rank, books, codes, seed=5, views=len(given))
    return learner.coding(learner.learn(given))


def errors(coding: LowRank, given: Tensor) -> Tensor:
    return (coding.decode(coding.encode(given)).double() - centred(given)).square().sum(dim=1)


def test_the_directions_are_principal_components() -> None:
    rows = centred(logits()) - centred(logits()).mean(dim=0)
    found = principal_directions(rows, RANK)
    expected = torch.from_numpy(PCA(RANK).fit(rows.numpy()).components_)
    assert torch.allclose((found * expected).sum(dim=1).abs(), torch.ones(RANK, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(found @ found.T, torch.eye(RANK, dtype=torch.float64), atol=1e-12)


def test_a_codebook_ends_where_lloyds_steps_of_another_program_end() -> None:
    """scikit-learn, from the same rows on."""
    rows = torch.randn((300, 3), generator=generator(2), dtype=torch.float64)
    start = rows[torch.randperm(300, generator=generator(3))[:8]]
    other = KMeans(8, init=start.numpy(), n_init=1, max_iter=25, tol=0, algorithm="lloyd").fit(rows.numpy())
    found = k_means(rows, 8, generator(3))
    assert torch.allclose(found, torch.from_numpy(other.cluster_centers_), atol=1e-9)


def test_the_error_is_that_of_the_directions_and_that_of_the_codes() -> None:
    """They are orthogonal, so that their squares add up, but for the rounding of half precision."""
    given = logits()
    coding = learned(given)
    from_mean = centred(given) - coding.mean
    inside = from_mean @ coding.basis.T
    outside = (from_mean - inside @ coding.basis).square().sum(dim=1)
    kept = torch.stack([book[coding.encode(given)["codes"][:, at].long()] for at, book in enumerate(coding.books)])
    left = (inside - kept.sum(dim=0)).square().sum(dim=1)
    assert torch.allclose(errors(coding, given), outside + left, rtol=0.01, atol=1e-3)
    assert float(outside.mean()) < 0.05 * float(from_mean.square().sum(dim=1).mean())


def test_more_of_anything_loses_less() -> None:
    given = logits()
    total = float((centred(given) - centred(given).mean(dim=0)).square().sum(dim=1).mean())
    by_books = [float(errors(learned(given, books=books), given).mean()) for books in (1, 2, 4, 8)]
    by_codes = [float(errors(learned(given, codes=codes), given).mean()) for codes in (2, 16, 128)]
    by_rank = [float(errors(learned(given, rank=rank, books=8, codes=64), given).mean()) for rank in (1, 2, 4)]
    for found in (by_books, by_codes, by_rank):
        assert sorted(found, reverse=True) == found
        assert found[0] < total
    assert by_books[-1] < 0.01 * total
    assert by_rank[-1] < 0.01 * total


def test_as_many_codes_as_views_in_all_directions_lose_the_rounding_alone() -> None:
    given = logits(200)
    coding = learned(given, rank=CLASSES - 1, books=1, codes=256)
    error = (coding.decode(coding.encode(given)).double() - centred(given)).abs()
    # Each number of the mean, the directions and the codes is off by 2**-11 of itself at most.
    assert float(error.max()) < 2**-11 * (CLASSES + 1) * float(centred(given).abs().max())
    assert torch.allclose(
        torch.softmax(coding.decode(coding.encode(given)) / 4, dim=1), torch.softmax(given / 4, dim=1), atol=2e-3
    )


@pytest.mark.parametrize(("codes", "size"), [(16, 1), (256, 1), (257, 2)])
def test_an_index_takes_a_byte_or_two(codes: int, size: int) -> None:
    given = logits(300)
    coding = learned(given, codes=codes)
    stored = coding.encode(given)
    assert coding.bytes_per_view(CLASSES) == 2 * size
    assert sum(tensor.numel() * tensor.element_size() for tensor in stored.values()) == 300 * 2 * size
    assert set(stored) == {"codes"}
    alone = torch.cat([coding.encode(row[None])["codes"] for row in given])
    assert torch.equal(alone, stored["codes"])


def test_what_was_learned_depends_on_the_seed_and_on_nothing_else() -> None:
    given = logits()
    first, again = (LowRankLearner(RANK, 2, 16, seed=5, views=600).learn(given) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = LowRankLearner(RANK, 2, 16, seed=6, views=600).learn(given)
    assert not torch.equal(first["books"], other["books"])
    assert {name: tensor.dtype for name, tensor in first.items()} == dict.fromkeys(first, torch.float16)


def test_a_mean_that_nothing_is_near_takes_the_row_that_is_worst_off() -> None:
    rows = torch.tensor([[0.0], [0.0], [0.0], [5.0]], dtype=torch.float64)
    for seed in range(5):
        found = k_means(rows, 2, generator(seed))
        assert sorted(found.flatten().tolist()) == [0.0, 5.0]
    assert nearest(rows, torch.tensor([[4.0], [1.0]], dtype=torch.float64)).tolist() == [1, 1, 1, 0]
