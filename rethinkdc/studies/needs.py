"""What a run waits for where another makes it, and which run to begin next, so that as few as possible wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from typing import Generic, TypeVar

from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Score
from rethinkdc.method import named_methods
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.working import is_run_held
from rethinkdc.studies.sharing import shared_by

T = TypeVar("T")
_AHEAD = 64
"""Runs that are looked at: of thousands, the next ones."""


@dataclass(frozen=True)
class Need:
    """An artefact that a run needs, and that others may need too.

    Attributes:
        kind: what it is, as the cache calls it.
        key: names it.
        sure: whether the run is known to need it; a method that may ask the proxy need not do so.
        of_labels: whether the labels need it, and not the set.
    """

    kind: str
    key: str
    sure: bool = True
    of_labels: bool = False


class Hindrance(IntEnum):
    """Whether a run that begins now would only wait."""

    NONE = 0
    PERHAPS = 1
    SURE = 2


def needs_of(run: Run, registry: Registry, cache: Cache) -> tuple[Need, ...]:
    """What a run shares with others, as far as its methods say; no image is looked at."""
    asks_proxy = run.compressor is not None and any(
        reference is not None and registry.build(Score, reference).wants is not None
        for reference in named_methods(run.compressor, "score", registry.build)
    )
    return tuple(
        Need(shared.kind, shared.key, sure=shared.kind != "proxies" or asks_proxy, of_labels=shared.of_labels)
        for shared in shared_by(run, registry, cache)
    )


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """A run that may be begun.

    Attributes:
        about: what it is to whoever chooses.
        key: of the run; None where nobody knows it yet.
        needs: what it shares.
    """

    about: T
    key: str | None
    needs: tuple[Need, ...]


def choose(
    waiting: Iterable[Candidate[T]], going: Sequence[Candidate[T]], cache: Cache
) -> tuple[Candidate[T], Hindrance] | None:
    """The first run that needs nothing which is being made; else the first that perhaps does not; else the first.

    Args:
        waiting: runs that nobody of this sweep is at, in their order.
        going: those that go on, which will make what they need.
        cache: knows what is there, and what is being made by anybody.

    Returns:
        The run, and whether it would only wait; None where none is waiting.
    """
    look = _Look(cache)
    made = {need.key for candidate in going for need in look.missing(candidate.needs)}
    best: tuple[Candidate[T], Hindrance] | None = None
    for candidate in islice(waiting, _AHEAD):
        hindrance = look.hindrance(candidate, made)
        if best is None or hindrance < best[1]:
            best = candidate, hindrance
        if hindrance is Hindrance.NONE:
            break
    return best


class _Look:
    """One look at the cache: what many runs share is looked at once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._there = lru_cache(maxsize=None)(lambda kind, key: cache.holds(kind, key) is not None)
        self._busy = lru_cache(maxsize=None)(cache.is_held)

    def missing(self, needs: Sequence[Need]) -> list[Need]:
        """What of it is to be made still: where the set is there, what only the set needs is not."""
        has_set = any(need.kind == "sets" and self._there(need.kind, need.key) for need in needs)
        return [need for need in needs if (need.of_labels or not has_set) and not self._there(need.kind, need.key)]

    def hindrance(self, candidate: Candidate[T], made: set[str]) -> Hindrance:
        """Whether the run would only wait, also for what others of this sweep will make."""
        if candidate.key and is_run_held(self._cache, candidate.key):
            return Hindrance.SURE
        busy = [need for need in self.missing(candidate.needs) if need.key in made or self._busy(need.kind, need.key)]
        if not busy:
            return Hindrance.NONE
        return Hindrance.SURE if any(need.sure for need in busy) else Hindrance.PERHAPS


__all__ = ["Candidate", "Hindrance", "Need", "choose", "needs_of"]
