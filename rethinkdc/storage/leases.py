"""Leases: what the holder of a lock has, until it gives it back or another takes it over.

The leases under which work goes on are known here, so that work which another process has taken over ends before it
keeps anything.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Event, Thread

from rethinkdc.errors import LeaseLostError
from rethinkdc.storage.flocks import free_flock
from rethinkdc.storage.holders import holder_of, last_note, note_of
from rethinkdc.storage.reading import show_path
from rethinkdc.storage.succession import give_back

_BEAT = 10.0
"""Seconds between two signs of life."""


class Lease:
    """A lock that this process holds until :meth:`release`, or until another takes it over.

    Attributes:
        inherited: whether it was taken over from a holder that may come back.
    """

    def __init__(self, path: Path, descriptor: int | None, token: str, *, inherited: bool = False) -> None:
        """``descriptor``: of the lock of the operating system, None = none; ``token``: of the note, empty = none."""
        self.path, self.inherited = path, inherited
        self._descriptor, self._token = descriptor, token
        self._lost, self._ended = False, Event()
        self._thread = Thread(target=self._give_signs, name="rethinkdc-lock", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether another is known to have taken it over; :meth:`check` looks."""
        return self._lost

    def check(self) -> None:
        """Looks whether it is still held.

        Raises:
            LeaseLostError: another has taken it over.
        """
        if self._token and not self._lost:
            # Where nobody can tell, nobody can take it over either.
            with suppress(OSError):
                note = last_note(self.path)
                self._lost = note is None or note.token != self._token
        if self._lost:
            holder = holder_of(self.path)
            raise LeaseLostError(
                f"The lock {show_path(self.path)} was taken over{f' by {holder}' if holder else ''}: this process gave "
                "no sign of life, since it was stopped or could not reach the folder.",
                lock=self.path,
            )

    def release(self) -> None:
        """Frees the lock, once; the note goes first, so that it never names the next holder."""
        self._ended.set()
        self._thread.join()
        if self._token and not self._lost:
            with suppress(OSError):
                give_back(self.path, self._token)
        descriptor, self._descriptor, self._token = self._descriptor, None, ""
        if descriptor is not None:
            free_flock(descriptor)

    def _give_signs(self) -> None:
        while self._token and not self._ended.wait(_BEAT):
            try:
                self.check()
            except LeaseLostError:
                return
            with suppress(OSError):
                os.utime(note_of(self.path))


_leases: ContextVar[tuple[Lease, ...]] = ContextVar("leases", default=())
"""Those under which work goes on, the outermost first."""


@contextmanager
def holding(lease: Lease | None) -> Iterator[None]:
    """Inside, work goes on under a lease; None = in a place that nobody shares."""
    before = _leases.set((*_leases.get(), lease)) if lease else None
    try:
        yield
    finally:
        if before:
            _leases.reset(before)


def end_lost_work() -> None:
    """Ends the work that goes on, if another process is known to have taken it over; costs nothing.

    Raises:
        LeaseLostError: one has.
    """
    for lease in _leases.get():
        if lease.lost:
            lease.check()


def fence() -> None:
    """As :func:`end_lost_work`, and looks: call it before something is kept that others share.

    Raises:
        LeaseLostError: another process has taken the work over.
    """
    for lease in _leases.get():
        lease.check()


def is_anothers(lease: Lease | None, error: Exception) -> bool:
    """Whether work failed because another process has taken it over, which is warned of: what that makes counts.

    Args:
        lease: under which it went on.
        error: by which it ended.

    Raises:
        LeaseLostError: work around it was taken over.
    """
    try:
        fence()
    except LeaseLostError as lost:
        error = lost
    if not isinstance(error, LeaseLostError):
        return False
    if lease is None or error.lock != lease.path:
        raise error
    warnings.warn(f"{error} What the other makes of it is waited for.", stacklevel=3)
    return True
