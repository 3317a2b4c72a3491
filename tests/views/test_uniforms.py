"""Uniforms are Philox 4x64-10, written out here a second time, and its streams do not meet."""

from __future__ import annotations

import hashlib
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rethinkdc.views import uniforms

WORD = (1 << 64) - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """One block of Philox 4x64-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(second >> 64) ^ c[1] ^ k[0], second & WORD, (first >> 64) ^ c[3] ^ k[1], first & WORD]
        k = [(k[0] + 0x9E3779B97F4A7C15) & WORD, (k[1] + 0xBB67AE8584CAA73B) & WORD]
    return c


@settings(max_examples=30, deadline=None)
@given(st.integers(0, WORD), st.text(max_size=8), st.integers(0, 10**6), st.integers(0, 10**6))
def test_uniforms_are_philox_of_the_documented_key_and_counter(seed: int, op: str, epoch: int, batch: int) -> None:
    name = int.from_bytes(hashlib.sha256(op.encode()).digest()[:8], "little")
    words = [word for block in (1, 2, 3) for word in philox([block, 0, batch, epoch], [seed, name])]
    expected = [(word >> 11) * 2.0**-53 for word in words[:10]]
    assert uniforms(seed, op, epoch, batch, (5, 2)).view(-1).tolist() == expected


def test_uniforms_lie_in_the_half_open_unit_interval_and_look_uniform() -> None:
    drawn = uniforms(1, "flip", 2, 3, (20000, 5))
    assert drawn.dtype == torch.float64
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert drawn.mean(0).sub(0.5).abs().max() < 5 * (1 / 12 / 20000) ** 0.5
    assert torch.corrcoef(drawn.T).fill_diagonal_(0).abs().max() < 5 / 20000**0.5


def test_every_part_of_the_key_gives_another_stream() -> None:
    streams = [
        uniforms(seed, op, epoch, batch, (50,))
        for seed, op, epoch, batch in itertools.product((0, 1), ("flip", "cell"), (0, 1), (0, 1))
    ]
    assert len(set(torch.cat(streams).tolist())) == 16 * 50


def test_more_rows_leave_the_earlier_rows_as_they_were() -> None:
    assert torch.equal(uniforms(0, "flip", 0, 0, (9, 4))[:5], uniforms(0, "flip", 0, 0, (5, 4)))


def test_no_uniforms_can_be_asked_for() -> None:
    assert uniforms(0, "flip", 0, 0, (0, 3)).shape == (0, 3)


@pytest.mark.parametrize(("epoch", "batch"), [(-1, 0), (0, -1)])
def test_a_negative_epoch_or_batch_is_refused(epoch: int, batch: int) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        uniforms(0, "flip", epoch, batch, (1,))
