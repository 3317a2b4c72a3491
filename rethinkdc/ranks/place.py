"""Which of several processes this is, as ``torchrun`` tells them by the environment."""

from __future__ import annotations

import os

from rethinkdc.errors import RequestError, RethinkError


class RankError(RethinkError):
    """Another rank ended, or cannot be reached. What is finished, and the last checkpoint, is kept."""

    keeps_work = True


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
    """Whether this process decides, writes and prints: the first rank, or the only process."""
    return rank() == 0


def local_rank() -> int:
    """Which of the processes on this machine this is, from 0: ``LOCAL_RANK``, else ``RANK``."""
    return int(os.environ.get("LOCAL_RANK", rank()))


def stand_alone() -> None:
    """From now on this process works without the others, which have ended."""
    for name in ("RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)


def own_parts(count: int) -> range:
    """The parts of ``count`` that this rank makes: every ``world``-th."""
    return range(rank(), count, world())


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
