"""The peak of a piece of work."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from rethinkdc.training.memory import PeakMeter

MEBIBYTE = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can begin a new peak")


def touch(mebibytes: int) -> None:
    """Takes memory from the system and gives it back: an allocator could keep it, or serve it from what it kept."""
    with mmap.mmap(-1, mebibytes * MEBIBYTE) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


def least(work: Callable[[], int]) -> int:
    """Of three measurements: the kernel may bring pages of libraries back meanwhile, which are counted too."""
    return min(work() for _ in range(3))


@linux
def test_a_peak_is_what_was_taken_at_once_though_it_was_given_back() -> None:
    def work() -> int:
        touch(300)  # an earlier, higher peak of the process
        meter = PeakMeter()
        touch(60)
        touch(100)
        return meter.read()

    assert 95 * MEBIBYTE < least(work) < 130 * MEBIBYTE


@linux
def test_work_between_pause_and_resume_is_left_out() -> None:
    def work() -> int:
        meter = PeakMeter()
        touch(64)
        meter.pause()
        touch(256)
        meter.resume()
        touch(32)
        return meter.read()

    assert 60 * MEBIBYTE < least(work) < 100 * MEBIBYTE


@linux
def test_memory_that_was_freed_before_is_seen_when_it_is_taken_again() -> None:
    """Pieces too small for mappings of their own, below one that stays: the process keeps their memory."""

    def work() -> int:
        pieces = [torch.ones(64 << 10, dtype=torch.uint8) for _ in range(3000)]
        kept = pieces[-1]
        pieces.clear()
        meter = PeakMeter()
        pieces = [torch.ones(64 << 10, dtype=torch.uint8) for _ in range(2000)]
        assert len(kept) == len(pieces[0])
        return meter.read()

    assert 110 * MEBIBYTE < least(work) < 160 * MEBIBYTE


def test_memory_that_is_kept_is_not_faulted_in_again() -> None:
    """In a process of its own: the limits hold until it ends."""
    found = subprocess.run([sys.executable, "-c", _STEPS], capture_output=True, text=True, check=True)
    before, after = map(int, found.stdout.split())
    if before < 1000:
        pytest.skip("this C library keeps freed memory by itself")
    assert after < before / 10


_STEPS = """
import resource
import torch
from rethinkdc.training.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def steps():
    first = faults()
    for _ in range(5):
        held = [torch.zeros(40 << 20, dtype=torch.uint8) for _ in range(3)]
        del held
    return faults() - first

before = steps()
keep_freed_memory()
steps()
print(before, steps())
"""
