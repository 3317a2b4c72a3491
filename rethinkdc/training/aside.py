"""Work that a GPU does beside other work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Aside:
    """A second queue of a GPU: what is put there shares the device with what is queued after it; no bit depends on it.

    A CPU has one queue, and does everything at once.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextmanager
    def work(self) -> Iterator[None]:
        """What is asked for inside is done aside, after all that was asked for so far.

        Memory that is freed meanwhile is used again by this queue alone, which waits at its next use for the other.
        """
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield

    def join(self) -> None:
        """All that is asked for from here on is done after what was done aside."""
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
