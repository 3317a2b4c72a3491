"""Several processes that make one set together, as ``torchrun`` starts them: ranks that share a cache folder.

Every rank runs the same command. The first does all that one process does; the others only take part in making
compressed sets. Each makes its share of a set's parts in the working folder that all share, outside the lock under
which the first keeps the set, and all wait until every part is there. What else a set needs (teachers, traces, scores)
is made under its lock by whoever comes first. Ranks speak through files alone: finished parts, finished artefacts, and
a lock that each holds for as long as it lives.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.storage import locks
from rethinkdc.storage.holders import Signs
from rethinkdc.storage.locks import Held, acquire, is_held

PATIENCE = "RETHINKDC_RANK_PATIENCE"
"""Environment: seconds that a rank may be missing, not started or ended, until the others give up."""

_PATIENCE = 120.0
_POLL = 0.2
_SESSION = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "WORLD_SIZE")
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
_T = TypeVar("_T")
_held: dict[Path, Held] = {}


class RankError(RethinkError):
    """Another rank ended before its share was done. Finished parts are kept."""

    keeps_work = True


class PartsDoneError(Exception):
    """This rank has no part left to make: its share is done, or others have finished the whole. No failure."""


def rank() -> int:
    """Which of the processes this is, from 0: ``RANK``.

    Raises:
        RequestError: ``RANK`` and ``WORLD_SIZE`` are no numbers that go together.
    """
    return _place()[0]


def world() -> int:
    """How many processes work together: ``WORLD_SIZE``; 1 where it or ``RANK`` is not set."""
    return _place()[1]


def leads() -> bool:
    """Whether this process keeps artefacts, writes records and prints: the first rank, or the only process."""
    return rank() == 0


def local_rank() -> int:
    """Which of the processes on this machine this is, from 0: ``LOCAL_RANK``, else ``RANK``."""
    return int(os.environ.get("LOCAL_RANK", rank()))


def own_parts(count: int) -> range:
    """The parts of ``count`` that this rank makes: every ``world``-th."""
    return range(rank(), count, world())


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
        patience = _seconds()
        try:
            # Not at once: a rank that asks whether this one lives holds the lock for a moment.
            held = acquire(path, patience=patience)
        except OSError as error:
            raise RequestError(
                f"Ranks tell each other by locks that they live, and the cache {home} has none ({error.strerror}). "
                "Choose a cache on another file system with --cache-dir or RETHINKDC_CACHE."
            ) from error
        if held is None:
            raise RankError(
                f"Another process has been rank {rank()} of {world()} on the cache {home} for {patience:.0f} s. Is it "
                "left of an earlier launch? Two launches at one time need ports or ids of their own: "
                "torchrun --standalone, --master-port or --rdzv-id."
            )
        _held[path] = held


def wait_for(found: Callable[[], _T | None], home: Path, needed: Callable[[], Iterable[int]], what: str) -> _T:
    """Waits until ``found`` gives something.

    Args:
        found: asked again and again; None = not yet.
        home: the cache folder that all ranks share.
        needed: the ranks that it still depends on.
        what: names it in the error.

    Raises:
        RankError: one of them is missing: it has ended, or never started.
    """
    patience = _seconds()
    since: dict[int, float] = {}
    signs = {other: Signs(_lock_of(home, other)) for other in range(world())}
    before: set[int] = set()
    while True:
        # The lock of a host that is dead may stay held: whoever gives no sign of life is missing too.
        missing = {
            other for other in needed() if not is_held(_lock_of(home, other)) or signs[other].silence() > locks.PATIENCE
        }
        # In this order: what a rank finished before it ended is there when its end is seen.
        value = found()
        if value is not None:
            return value
        now = time.monotonic()
        # Seen twice in a row: another rank that asks at the same moment looks like the one that is asked for.
        since = {other: since.get(other, now) for other in missing | before}
        before = missing
        for other in sorted(missing & set(needed())):
            if now - since[other] > patience:
                raise RankError(
                    f"Rank {other} of {world()} has not been there for {patience:.0f} s, and {what} depends on it. It "
                    "says itself why it ended; were all ranks started, with one cache folder? Finished parts are kept: "
                    "run the same command again, with any number of ranks."
                )
        time.sleep(_POLL)


def _seconds() -> float:
    """The patience of :data:`PATIENCE`."""
    given = os.environ.get(PATIENCE, _PATIENCE)
    try:
        return max(0.0, float(given))
    except ValueError:
        raise RequestError(f"{PATIENCE} must be a number of seconds; found {given!r}.") from None


def _place() -> tuple[int, int]:
    given = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if None in given:
        return 0, 1
    try:
        here, count = (int(value or "") for value in given)
    except ValueError:
        here, count = 0, 0
    if not 0 <= here < count:
        raise RequestError(f"RANK={given[0]} and WORLD_SIZE={given[1]} in the environment do not go together.")
    return here, count


def _lock_of(home: Path, which: int) -> Path:
    """One file for each rank of one launch: two launches at one time differ in their port or id, or in the machine."""
    session = "/".join(os.environ.get(name, "") for name in _SESSION)
    if os.environ.get("MASTER_ADDR", "") in _LOOPBACK:
        # All ranks are on one machine, and others that share the cache may use the same port.
        session += "/" + socket.gethostname()
    return home / "locks" / "ranks" / f"{hashlib.sha256(session.encode()).hexdigest()[:16]}-{which}.lock"
