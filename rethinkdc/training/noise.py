"""The random numbers that layers draw, kept apart from everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Leaves the global generators as they were, and makes cuDNN give the same bits every time."""
    devices = [device.index or 0] if device.type == "cuda" else []
    cudnn = torch.backends.cudnn
    chosen = cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=cudnn.allow_tf32)
    with torch.random.fork_rng(devices=devices), chosen:
        yield


def seed_noise(seed: int, device: torch.device) -> None:
    """Seeds what dropout and drop-path draw from: called before each step, so that a resumed run needs no state."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
