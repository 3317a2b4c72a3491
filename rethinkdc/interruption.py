"""Interruptions: a signal is heeded where a loop has just kept its state, or at once where none will do so soon.

What goes on is known here, so that an interruption can tell what is kept of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from rethinkdc.storage import end_lost_work

GRACE = 4.0
"""Seconds that a loop is given to reach the place where it keeps its state."""
_ECHO = 0.5
"""Seconds within which a signal that comes again is the same one: a terminal and a launcher may both send it."""
_SOON = 0.02
"""Seconds in which Python has cleared away what it was at."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a process to end."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@dataclass
class Going:
    """A piece of work that goes on.

    Attributes:
        where: what it is called, such as ``part 3 of 10``; empty = it has no name that says more than the work around.
        kept: what of it is on disk, such as ``2 parts``; empty = nothing.
        heeds: whether a loop in it asks again and again whether it is interrupted, once it has kept its state.
    """

    where: str = ""
    kept: str = ""
    heeds: bool = False


@dataclass
class _Process:
    """What this process was asked, and what goes on in it; the innermost work comes last."""

    going: list[Going] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    listens: bool = False
    asked: int | None = None
    since: float = 0.0
    raised: bool = False
    told: str = ""


_process = _Process()


@contextmanager
def going(where: str = "") -> Iterator[Going]:
    """Inside, a piece of work goes on."""
    work = Going(where)
    _process.going.append(work)
    try:
        yield work
    except KeyboardInterrupt:
        # Before it is forgotten what went on.
        _process.told = _process.told or _tell()
        raise
    finally:
        _process.going.pop()


def innermost() -> Going:
    """The work that goes on; where none is known, one that nobody is told of."""
    return _process.going[-1] if _process.going else Going()


def finished(kind: str) -> None:
    """Tells that something is kept for good, by the plural of what it is: ``scores``."""
    if kind not in _process.finished:
        _process.finished.append(kind)


def asked() -> bool:
    """Whether a signal asked this process to end, which :func:`heed` does."""
    return _process.listens and _process.asked is not None


def signalled() -> int | None:
    """The signal that asked this process to end; None = none did."""
    return _process.asked if asked() else None


def ask(number: int) -> None:
    """Asks this process to end, as another that works with it was asked by a signal: :func:`heed` does.

    Where nothing listens to signals, it does nothing: the process goes on, and hears that the other ended.
    """
    if _process.listens and _process.asked is None:
        _process.asked, _process.since = number, time.monotonic()


def heed() -> None:
    """Ends the work that goes on, if that was asked or others have taken it over: call it where everything is kept.

    Raises:
        Interrupted: it was asked.
        LeaseLostError: others are known to have taken it over.
    """
    end_lost_work()
    if asked() and not _process.raised:
        assert _process.asked is not None
        _interrupt(_process.asked)


def persist() -> None:
    """Ends the work that failed, if an interruption made it fail: compiled libraries raise errors of their own then.

    Raises:
        Interrupted: it did.
    """
    if _process.listens and _process.raised:
        assert _process.asked is not None
        raise Interrupted(_process.asked)


def heard() -> int | None:
    """The signal that interrupted this process; None = none did."""
    return _process.asked if _process.raised else None


def told() -> str:
    """What an interruption that was heard, or is just happening, ended and what is kept of it: sentences."""
    return _process.told or _tell()


def tell_anew() -> None:
    """Tells once more of an interruption that is just happening: more is kept than when it came."""
    _process.told = _tell()


def add(text: str) -> None:
    """Adds a line to what is told of an interruption that is just happening."""
    _process.told = f"{told()}\n{text}"


@contextmanager
def listening() -> Iterator[None]:
    """Inside, :data:`SIGNALS` interrupt the work that goes on; those that are ignored stay so, as ``nohup`` wants.

    A second one ends the process at once. Outside the main thread, which alone hears signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _process
    _process = _Process(listens=True)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in heeded:
        signal.signal(number, _hear)
    report = sys.unraisablehook

    def notice(lost: sys.UnraisableHookArgs) -> None:
        if isinstance(lost.exc_value, Interrupted):
            _ask_again(lost.exc_value.number)
        else:
            report(lost)

    sys.unraisablehook = notice
    try:
        yield
    finally:
        sys.unraisablehook = report
        _process.listens = False
        for number in heeded:
            signal.signal(number, before[number])


def _hear(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if _process.asked is None:
        _process.asked, _process.since = number, now
        if not any(work.heeds for work in _process.going[-1:]):
            _interrupt(number)
        # Signals are heard between two lines of Python: a loop that goes on is heard of again.
        _send_later(number, GRACE)
    elif now - _process.since >= GRACE and not _process.raised:
        _interrupt(_process.asked)
    elif (number == signal.SIGINT or _process.raised) and now - _process.since >= _ECHO:
        _end(number)


def _ask_again(number: int) -> None:
    """Sends a signal once more that was heard where nothing can be raised: while Python cleared something away."""
    _process.asked, _process.raised, _process.told = None, False, ""
    _send_later(number, _SOON)


def _send_later(number: int, seconds: float) -> None:
    """Sends this process a signal, unless what it interrupts is over by then."""
    process = _process

    def send() -> None:
        if process.listens and not process.raised:
            os.kill(os.getpid(), number)

    timer = threading.Timer(seconds, send)
    timer.daemon = True
    timer.start()


def _interrupt(number: int) -> None:
    _process.raised, _process.told = True, _tell()
    raise Interrupted(number)


def _end(number: int) -> None:
    """Ends at once: what a kill would lose is lost, and a display that hid the cursor cannot show it again."""
    if sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\r\n")
    os._exit(128 + number)


def _tell() -> str:
    names = [work.where for work in reversed(_process.going) if work.where]
    kept = [f"the finished {_listed(_process.finished)}"] if _process.finished else []
    kept += [work.kept for work in _process.going if work.kept]
    where = f"Interrupted in {' of '.join(names[:2])}." if names else "Interrupted."
    if kept:
        return f"{where} Kept: {_listed(kept)}; the same command goes on from there."
    return f"{where} Nothing of it is kept yet; the same command begins it again." if names else where


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
