"""Whether ranks live: each holds a lock in the cache that all share for as long as it does."""

from __future__ import annotations

import atexit
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from rethinkdc.errors import RequestError
from rethinkdc.ranks.place import RankError, rank, world
from rethinkdc.storage.leases import Lease
from rethinkdc.storage.locks import Watch, acquire, is_held

PATIENCE = "RETHINKDC_RANK_PATIENCE"
"""Environment: seconds that a rank may be missing, not started or ended, until the others give up."""

_PATIENCE = 100.0
"""So that a rank that ends without a word ends all the others within two minutes."""
ENDED = 5.0
"""Seconds without its lock after which a rank that was there has ended."""
_SILENT = 60.0
"""Seconds without a sign of life after which a rank on another host counts as ended: of six, one would have come."""
_POLLS = 0.001, 0.05
"""Seconds between two looks: at first, and after long waiting."""
_LOOKS = 0.5
"""Seconds between two looks at who lives."""
_SESSION = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "WORLD_SIZE")
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
_T = TypeVar("_T")
_held: dict[Path, Lease] = {}


def join(home: Path) -> None:
    """Tells the other ranks for as long as this process lives that it does. Does nothing in a single process.

    Args:
        home: the cache folder that all ranks share.

    Raises:
        RankError: another process is this rank, and has not ended.
        RequestError: the folder has no locks.
    """
    if world() == 1:
        return
    path = _lock_of(home, rank())
    if path not in _held:
        waited = patience()
        try:
            # Not at once: a rank that asks whether this one lives holds the lock for a moment.
            held = acquire(path, patience=waited)
        except OSError as error:
            raise RequestError(
                f"Ranks tell each other by locks that they live, and the cache {home} has none ({error.strerror}). "
                "Choose a cache on another file system with --cache-dir or RETHINKDC_CACHE."
            ) from error
        if held is None:
            raise RankError(
                f"Another process has been rank {rank()} of {world()} on the cache {home} for {waited:.0f} s. Is it "
                "left of an earlier launch? Two launches at one time need ports or ids of their own: "
                "torchrun --standalone, --master-port or --rdzv-id."
            )
        _held[path] = held
        # Ranks on other hosts see by its note that it has gone.
        atexit.register(held.release)


def wait_for(found: Callable[[], _T | None], home: Path, needed: Callable[[], Iterable[int]], what: str) -> _T:
    """Waits until ``found`` gives something, where all ranks have met: none is still to come.

    Args:
        found: asked again and again; None = not yet.
        home: the cache folder that all ranks share.
        needed: the ranks that it still depends on.
        what: names it in the error.

    Raises:
        RankError: one of them has ended.
    """
    waits = min(patience(), ENDED)
    missing = Missing(home)
    poll, longest = _POLLS
    looks = time.monotonic()
    while True:
        # In this order: what a rank finished before it ended is there when its end is seen.
        gone = None
        if time.monotonic() >= looks:
            gone, looks = missing.longer_than(waits, needed()), time.monotonic() + min(_LOOKS, waits)
        value = found()
        if value is not None:
            return value
        if gone is not None and gone in set(needed()):
            raise ended(gone, what, waits)
        time.sleep(poll)
        poll = min(longest, poll * 1.2)


def ended(which: int, what: str, seconds: float = ENDED) -> RankError:
    """The error of a rank that is missing, and what depended on it."""
    return RankError(
        f"Rank {which} of {world()} has not been there for {seconds:.0f} s, and {what} depends on it. It says itself "
        "why it ended. What is finished is kept: run the same command again, with any number of ranks."
    )


class Missing:
    """Who is not there, and since when this process knows.

    Args:
        home: the cache folder that all ranks share.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._since: dict[int, float] = {}
        self._before: set[int] = set()
        self._watched = {other: Watch(_lock_of(home, other), _SILENT) for other in range(world())}

    def there(self) -> set[int]:
        """The ranks whose locks are held, this one's too."""
        return {other for other in range(world()) if is_held(_lock_of(self.home, other))}

    def longer_than(self, seconds: float, needed: Iterable[int]) -> int | None:
        """The first of the needed ranks that has been missing for longer; None = all have been seen since."""
        missing = {other for other in needed if not self._watched[other].lives()}
        now = time.monotonic()
        # Seen twice in a row: another rank that asks at the same moment looks like the one that is asked for.
        self._since = {other: self._since.get(other, now) for other in missing | self._before}
        self._before = missing
        return next((other for other in sorted(missing) if now - self._since[other] > seconds), None)


def patience() -> float:
    """The seconds of :data:`PATIENCE`."""
    given = os.environ.get(PATIENCE, _PATIENCE)
    try:
        return max(0.0, float(given))
    except ValueError:
        raise RequestError(f"{PATIENCE} must be a number of seconds; found {given!r}.") from None


def session() -> str:
    """Names this launch: two at one time differ in their port or id, or in the machine."""
    parts = [os.environ.get(name, "") for name in _SESSION]
    if os.environ.get("MASTER_ADDR", "") in _LOOPBACK:
        # All ranks are on one machine, and others that share the cache may use the same port.
        parts.append(socket.gethostname())
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def _lock_of(home: Path, which: int) -> Path:
    return home / "locks" / "ranks" / f"{session()}-{which}.lock"
