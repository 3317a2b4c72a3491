"""The peak of a piece of work."""

from __future__ import annotations

import sys

import pytest
import torch

from rethinkdc.memory import PeakMeter

MEBIBYTE = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can begin a new peak")


def touch(mebibytes: int) -> None:
    """Takes memory, and gives it back."""
    torch.ones(mebibytes * MEBIBYTE, dtype=torch.uint8)


@linux
def test_a_peak_is_what_was_taken_at_once_though_it_was_given_back() -> None:
    touch(300)  # an earlier, higher peak of the process
    meter = PeakMeter()
    touch(60)
    touch(100)
    assert 95 * MEBIBYTE < meter.read() < 130 * MEBIBYTE


@linux
def test_work_between_pause_and_resume_is_left_out() -> None:
    meter = PeakMeter()
    touch(64)
    meter.pause()
    touch(256)
    meter.resume()
    touch(32)
    assert 60 * MEBIBYTE < meter.read() < 100 * MEBIBYTE


@linux
def test_memory_that_was_freed_before_is_seen_when_it_is_taken_again() -> None:
    """Pieces too small for mappings of their own, below one that stays: the process keeps their memory."""
    pieces = [torch.ones(64 << 10, dtype=torch.uint8) for _ in range(3000)]
    kept = pieces[-1]
    pieces.clear()
    meter = PeakMeter()
    pieces = [torch.ones(64 << 10, dtype=torch.uint8) for _ in range(2000)]
    assert 110 * MEBIBYTE < meter.read() < 160 * MEBIBYTE
    assert len(kept) == len(pieces[0])
