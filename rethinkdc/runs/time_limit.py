"""The time that a run may take."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rethinkdc.errors import RequestError, TimeLimitError

AGAIN = 1.0
"""Seconds after which a run that did not end, since something in it went on all the same, is asked once more."""


def tell_limit(seconds: float) -> str:
    """What a record says of a run that took longer."""
    return (
        f"It took longer than the {seconds:g} s of --time-limit. What is finished of it is kept: with more time the "
        "same command goes on from there."
    )


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Ends what goes on inside after so many seconds, between two lines of Python; None = never.

    What compiled code does without coming back to Python is not ended by it: a sweep ends the process of such a run.

    Raises:
        TimeLimitError: the time is over.
        RequestError: this is not the main thread, which alone hears signals, or this system has none.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        raise RequestError("--time-limit is heard in the main thread alone, on systems with timers: leave it out here.")

    def end(_: int, __: FrameType | None) -> None:
        raise TimeLimitError(tell_limit(seconds))

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


__all__ = ["tell_limit", "within"]
