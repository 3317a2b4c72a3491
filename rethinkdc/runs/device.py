"""The device that computes, and what makes its results repeatable."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from rethinkdc import ranks
from rethinkdc.errors import RequestError

_CUDA = torch.device("cuda")


def choose_device(name: str | None, *, here: bool = True) -> torch.device:
    """The named device; without a name CUDA where there is one, else the CPU.

    Args:
        name: as ``cuda:1``.
        here: whether it must be in this machine.

    Raises:
        RequestError: no such device here.
    """
    if name is None:
        if torch.cuda.is_available():
            # Ranks take a device each, as far as there are devices.
            return torch.device("cuda", ranks.local_rank() % torch.cuda.device_count()) if ranks.world() > 1 else _CUDA
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(f"Unknown device {name!r}. Use cpu, cuda or cuda:N.") from None
    if here and device.type == "cuda" and not torch.cuda.is_available():
        raise RequestError(f"There is no CUDA device here for --device {name}. Use --device cpu.")
    return device


def spread_device(device: torch.device, taken: Sequence[torch.device]) -> torch.device:
    """The device of one more process: of CUDA without a number, the one that has the fewest; else the same for all."""
    if device != _CUDA:
        return device
    devices = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return min(devices, key=taken.count) if len(devices) > 1 else device


@contextmanager
def deterministic(device: torch.device, threads: int = 1) -> Iterator[None]:
    """Deterministic kernels on ``threads`` CPU threads inside; the caller's settings come back afterwards."""
    if device.type == "cuda":
        # Read by cuBLAS when its first handle is made: without it some matrix products are not repeatable.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_num_threads(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = before[2]
        torch.set_num_threads(before[3])


__all__ = ["choose_device", "deterministic", "spread_device"]
