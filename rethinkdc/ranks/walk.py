"""Whether ranks work together at this place of the walk, and what they say to each other there."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rethinkdc.ranks import living, place

if TYPE_CHECKING:
    from rethinkdc.ranks.launch import Launch


@dataclass
class _Walk:
    """Where this process is: which cache it shares, whom it met, and in how many pieces of work of its own it is."""

    home: Path | None = None
    launch: Launch | None = None
    apart: int = 0


_walk = _Walk()


def join(home: Path) -> None:
    """Tells the other ranks for as long as this process lives that it does, and shares a cache folder with them.

    Raises:
        RankError: another process is this rank, and has not ended.
        RequestError: the folder has no locks.
    """
    living.join(home)
    _walk.home = home


def together() -> bool:
    """Whether all ranks do what goes on, in one order; False in a single process."""
    return place.world() > 1 and not _walk.apart and _walk.home is not None


def writes() -> bool:
    """Whether this process writes what is made: the first rank, unless each makes something of its own."""
    return not together() or place.leads()


@contextmanager
def apart() -> Iterator[None]:
    """Inside, this rank does what the others do not."""
    _walk.apart += 1
    try:
        yield
    finally:
        _walk.apart -= 1


def decided(value: Callable[[], Any], about: str) -> Any:
    """What ``value`` gives, as JSON data: where ranks work together the first rank is asked, and tells the others.

    Args:
        value: is asked.
        about: what it is, the same on all ranks.

    Raises:
        RankError: the first rank failed or ended; it raises its error itself.
    """
    if not together():
        return value()
    launch = met()

    def alone() -> Any:
        with apart():
            return value()

    return launch.messages.tell(alone, about)


def meet(about: str) -> None:
    """Waits until all ranks that work together have come here.

    Raises:
        RankError: one ended.
    """
    if together():
        met().messages.exchange(None, about)


def require_alike(what: str, value: str, advice: str) -> None:
    """Checks that all ranks that work together have the same of something; see :meth:`Launch.require_alike`.

    Raises:
        RequestError: names two that differ.
    """
    if together():
        met().require_alike(what, value, advice)


def home() -> Path:
    """The cache folder that all ranks share."""
    assert _walk.home is not None
    return _walk.home


def leave() -> None:
    """Tells the others that this rank heard all that it was told; the first, who is asked for it, waits a little."""
    launch, _walk.launch = _walk.launch, None
    if launch is not None:
        launch.leave()


def met() -> Launch:
    """The launch of the ranks, which meet when this is first asked for."""
    if _walk.launch is None:
        from rethinkdc.ranks.launch import begin

        _walk.launch = begin(home())
        atexit.register(leave)
    return _walk.launch
