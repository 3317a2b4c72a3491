"""How many processes and threads this machine carries. Imports nothing heavy before it is asked about CUDA."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rethinkdc.errors import RequestError

Auto = Literal["auto"]
AUTO: Auto = "auto"

MEMORY_PER_JOB = 2 << 30
"""Bytes that one process of a sweep may take: about 1 for torch and data, and as much for a run of a small protocol."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def read_count(flag: str, text: str | int) -> int | Auto:
    """Reads a number of at least 1, or ``auto``.

    Raises:
        RequestError: it is neither.
    """
    word = str(text).strip()
    if word == AUTO:
        return AUTO
    if isinstance(text, bool) or not word.isascii() or not word.isdecimal() or int(word) < 1:
        raise RequestError(f"{flag} {text}: a whole number of at least 1 is needed, or auto.")
    return int(word)


def cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_jobs(device: str | None, threads: int) -> int:
    """How many processes of a sweep suit this machine.

    On CUDA one for each device; else one for as many cores as each computes on, as far as there are
    :data:`MEMORY_PER_JOB` of memory for each.

    Args:
        device: that is asked for; None = CUDA where there is one.
        threads: that each computes on.
    """
    if device is None or device.partition(":")[0] == "cuda":
        import torch

        if torch.cuda.is_available():
            return 1 if device and ":" in device else torch.cuda.device_count()
    fitting = cores() // threads
    memory = free_memory()
    return max(1, fitting if memory is None else min(fitting, memory // MEMORY_PER_JOB))


def free_memory() -> int | None:
    """Bytes of memory that are free, or that the container may still take; None where nobody tells."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    for limit in _LIMITS:
        with suppress(OSError, ValueError):
            found.append(int(Path(limit).read_text()))
    return min(found, default=None)
