"""Codings of logits: what they lose, and the bytes that they say."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rethinkdc.labels import Coding, Dense, Quantised, TopK, TopLogits
from rethinkdc.seeds import generator

LOGITS = 5 * torch.randn((7, 10), generator=generator(0))
CODINGS: list[Coding] = [
    Dense("float32"),
    Dense("float16"),
    Quantised(),
    TopK(3, 4.0, 10),
    TopK(99, 4.0, 10),
    TopLogits(3, 10),
]


def decoded(coding: Coding, logits: Tensor = LOGITS) -> Tensor:
    return coding.decode(coding.encode(logits))


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_the_bytes_are_those_of_the_tensors_and_rows_are_coded_one_by_one(coding: Coding) -> None:
    stored = coding.encode(LOGITS)
    assert sum(tensor.numel() * tensor.element_size() for tensor in stored.values()) == 7 * coding.bytes_per_view(10)
    for row in range(7):
        alone = coding.encode(LOGITS[row : row + 1])
        assert all(torch.equal(alone[name], tensor[row : row + 1]) for name, tensor in stored.items())


def test_float32_loses_nothing_and_float16_its_last_digits() -> None:
    assert torch.equal(decoded(Dense("float32")), LOGITS)
    error = (decoded(Dense("float16")) - LOGITS).abs()
    assert bool((error <= LOGITS.abs() * 2**-11).all())
    assert float(error.max()) > 0


def test_a_byte_is_off_by_half_a_step_at_most() -> None:
    low, high = LOGITS.aminmax(dim=1, keepdim=True)
    error = (decoded(Quantised()) - LOGITS).abs()
    assert bool((error <= (high - low) / 510 * 1.0001).all())
    equal = torch.full((1, 10), -3.25)
    assert torch.equal(decoded(Quantised(), equal), equal)


def test_the_largest_are_kept_and_the_rest_is_spread_evenly() -> None:
    """Probabilities .5, .3, .1, .06, .04 with k = 2: the last three share .2."""
    probabilities = torch.tensor([[0.1, 0.5, 0.04, 0.3, 0.06]])
    temperature = 4.0
    found = decoded(TopK(2, temperature, 5), temperature * probabilities.log() + 1.7)
    back = torch.softmax(found / temperature, dim=1)
    third = 0.2 / 3
    assert torch.allclose(back, torch.tensor([[third, 0.5, third, 0.3, third]]), atol=3e-4)


def test_what_is_kept_and_spread_is_what_the_authors_of_rded_keep() -> None:
    """``keep_top_k`` of LINs-lab/RDED (validation/utils.py at 3f6453d): two of six probabilities at T = 4.

    The logits are 6 sin(1.7 i + 4).
    """
    logits = 6 * torch.sin(torch.arange(12, dtype=torch.float64) * 1.7 + 4).view(2, 6).float()
    found = torch.softmax(decoded(TopK(2, 4.0, 6), logits) / 4, dim=1)
    expected = [
        [0.064354, 0.064354, 0.523242, 0.219341, 0.064354, 0.064354],
        [0.396623, 0.073006, 0.073006, 0.073006, 0.311353, 0.073006],
    ]
    assert torch.allclose(found, torch.tensor(expected), atol=5e-4)


def test_all_classes_but_one_lose_nothing_but_rounding() -> None:
    found = torch.softmax(decoded(TopK(9, 4.0, 10)) / 4, dim=1)
    assert torch.allclose(found, torch.softmax(LOGITS / 4, dim=1), atol=1e-3)
    assert torch.equal(decoded(TopK(99, 4.0, 10)), decoded(TopK(9, 4.0, 10)))


def test_a_sure_teacher_leaves_a_small_rest_and_not_zero() -> None:
    sure = torch.zeros((1, 10))
    sure[0, 3] = 30.0
    found = decoded(TopK(1, 1.0, 10), sure)
    assert bool(torch.isfinite(found).all())
    assert found[0, 0].item() == pytest.approx(-30.0, abs=0.02)
    assert math.exp(found[0, 3].item()) == pytest.approx(1.0)


def test_an_index_takes_the_fewest_bytes_that_hold_the_classes() -> None:
    assert [TopK(1, 1.0, classes).bytes_per_view(classes) for classes in (256, 257, 40_000)] == [5, 6, 8]
    assert [TopLogits(1, classes).bytes_per_view(classes) for classes in (256, 257, 40_000)] == [3, 4, 6]


@pytest.mark.parametrize(("ipc", "gibibytes"), [(10, 5.67), (20, 11.33), (50, 28.33), (100, 56.66), (200, 113.33)])
def test_whole_labels_of_imagenet_take_what_the_authors_publish(ipc: int, gibibytes: float) -> None:
    """In the README of LPLD and LPQLD: 300 epochs of views; crops, mixes and pickles are the rest of theirs."""
    ours = Dense().bytes_per_view(1000) * 300 * 1000 * ipc / 2**30
    assert ours < gibibytes < 1.02 * ours


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_the_largest_logits_share_all_of_the_probability_at_any_temperature(temperature: float) -> None:
    found = torch.softmax(decoded(TopLogits(4, 10)) / temperature, dim=1)
    largest = LOGITS.topk(4, dim=1)
    expected = torch.zeros_like(LOGITS).scatter_(1, largest.indices, (largest.values / temperature).softmax(dim=1))
    # Half precision is off by 2**-11 of a logit, a probability by that much over the temperature.
    bound = float(LOGITS.abs().max()) * 2**-11 / temperature
    assert float((found - expected).abs().max()) <= bound
    assert torch.equal(found == 0, expected == 0)
