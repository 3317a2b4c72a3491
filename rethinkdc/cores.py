"""How many processes and threads this machine carries. Imports nothing heavy before it is asked about CUDA."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from rethinkdc.errors import RequestError

Auto = Literal["auto"]
AUTO: Auto = "auto"

MEMORY_PER_JOB = 2 << 30
"""Bytes that one process of a sweep may take: about 1 for torch and data, and as much for a run of a small protocol."""
_CGROUP = Path("/sys/fs/cgroup")
_CONTAINERS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
"""Files of a container's limit and of what it takes, and what of this the system gives back at need."""


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
    """Cores that this process may use: fewer than the machine has where it is bound to some, or a container is."""
    from joblib import cpu_count

    return int(cpu_count())


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
    for limit, taken, spare in _CONTAINERS:
        with suppress(OSError, ValueError):
            most, used = (int((_CGROUP / name).read_text()) for name in (limit, taken))
            found.append(max(0, most - used + _stated(_CGROUP / taken, spare)))
    return min(found, default=None)


def _stated(beside: Path, name: str) -> int:
    """A number of the ``memory.stat`` beside a file; 0 where it has none."""
    with suppress(OSError, ValueError):
        lines = (line.split() for line in beside.with_name("memory.stat").read_text().splitlines())
        return int(dict(line for line in lines if len(line) == 2).get(name, 0))
    return 0
