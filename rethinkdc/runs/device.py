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

    Of CUDA without a number each rank of a machine takes a device of its own.

    Args:
        name: as ``cuda:1``.
        here: whether it must be in this machine.

    Raises:
        RequestError: no such device here, or fewer than ranks.
    """
    if name is None:
        return _own_device() if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(f"Unknown device {name!r}. Use cpu, cuda or cuda:N.") from None
    if here and device.type == "cuda" and not torch.cuda.is_available():
        raise RequestError(f"There is no CUDA device here for --device {name}. Use --device cpu.")
    return _own_device() if here and device == _CUDA else device


def _own_device() -> torch.device:
    """CUDA, or that device of this machine which is the rank's own."""
    if ranks.world() == 1:
        return _CUDA
    which, count = ranks.local_rank(), torch.cuda.device_count()
    if which >= count:
        raise RequestError(
            f"Rank {ranks.rank()} is number {which + 1} on this machine, which has {count} CUDA devices: each "
            f"rank needs one of its own. Start {count} or fewer (torchrun --nproc-per-node), or use --device cpu."
        )
    return torch.device("cuda", which)


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
