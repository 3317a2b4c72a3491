"""How much memory a piece of work takes at its peak, beside what the process held before."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

import torch

_RESET_PEAK = "5"
"""What Linux takes, written to ``/proc/self/clear_refs``, to begin a new peak of the resident size."""


_MAPPED = 1 << 30
"""Bytes from which on memory still comes from the system and goes back to it at once."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""What the GNU C library's ``mallopt`` calls the two limits."""


def keep_freed_memory() -> None:
    """Lets the process use freed memory again, where the C library can; results do not depend on it.

    A training step frees what the next one takes. Given back in between, every page of it is faulted in and cleared
    anew at each step: a fifth of the processor time of small networks at 64 px.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _MAPPED)
        library.mallopt(_TRIM_THRESHOLD, _MAPPED)
    except (OSError, AttributeError, TypeError):
        return


class PeakMeter:
    """Measures the peak of the resident size, mapped files included, above that at its making.

    Work inside that is measured on its own is left out between :meth:`pause` and :meth:`resume`. Where the system
    cannot begin a new peak (not Linux), only growth beyond the process's whole past is seen: a lower bound.
    """

    def __init__(self) -> None:
        self._extra = 0
        _give_back_free_memory()
        self.resume()
        self._base = _resident("VmRSS:")

    def pause(self) -> None:
        """Stops measuring until :meth:`resume`."""
        self._extra = self.read()

    def resume(self) -> None:
        """Goes on measuring."""
        try:
            Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
        except OSError:
            return

    def read(self) -> int:
        """Bytes at the peak so far, beyond those held at the beginning."""
        return max(self._extra, _resident("VmHWM:") - self._base)


def peak_memory(device: torch.device) -> int:
    """Bytes: the CUDA allocator's peak, or the process's peak resident size on a CPU."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else _peak_of_process()


def _give_back_free_memory() -> None:
    """Hands what was freed before to the system, where the C library can: taken again, it would not be seen."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return


def _resident(field: str) -> int:
    """Bytes of the resident size, now (``VmRSS:``) or at its peak (``VmHWM:``)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
    except (OSError, StopIteration):
        return _peak_of_process()


def _peak_of_process() -> int:
    """Bytes of the largest resident size that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
