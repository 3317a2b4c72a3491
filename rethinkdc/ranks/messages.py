"""What ranks tell each other: JSON through the key-value store of the launch, waited for as long as it takes.

Not through collectives: those end by a time-out, and what the first rank does while the others wait may take hours. A
message is waited for until it is there or a rank that it depends on has ended; a signal is heard meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.distributed.distributed_c10d import Store

from rethinkdc.errors import RethinkError
from rethinkdc.ranks.living import wait_for
from rethinkdc.ranks.place import RankError

_LEAVES = 5.0
"""Seconds that the first rank waits for others to have heard its last word."""
_POLL = 0.01


class Messages:
    """Messages in one order, which is the same on all ranks because all walk the same way.

    Args:
        store: of the launch.
        home: the cache folder that all ranks share.
        rank: which of them this is.
        world: how many there are.
    """

    def __init__(self, store: Store, home: Path, rank: int, world: int) -> None:
        self._store, self._home, self._rank, self._world = store, home, rank, world
        self._count = 0

    def tell(self, value: Callable[[], Any], about: str) -> Any:
        """What ``value``, which the first rank alone is asked, gives: JSON data, told to all.

        Raises:
            RankError: the first rank failed, which raises the error itself, or ended.
        """
        key = self._next()
        if self._rank:
            told = self._read([key], about)[0]
            if "failed" in told:
                raise RankError(f"The first rank ended, and this one with it: {told['failed']}")
            return told["value"]
        try:
            found = value()
        except Exception as error:
            text = str(error) if isinstance(error, RethinkError) else f"{type(error).__name__}: {error}"
            self._write(key, {"about": about, "failed": text})
            raise
        self._write(key, {"about": about, "value": found})
        return found

    def exchange(self, value: Any, about: str) -> list[Any]:
        """What each rank says, by rank: JSON data.

        Raises:
            RankError: a rank ended.
        """
        key = self._next()
        self._write(f"{key}/{self._rank}", {"about": about, "value": value})
        return [told["value"] for told in self._read([f"{key}/{other}" for other in range(self._world)], about)]

    def leave(self) -> None:
        """Says the last word. The first rank, where the store may live, waits until all have, for a few seconds."""
        try:
            left = self._store.add("left", 1)
            until = time.monotonic() + _LEAVES
            while self._rank == 0 and left < self._world and time.monotonic() < until:
                time.sleep(_POLL)
                left = self._store.add("left", 0)
        except RuntimeError:
            # It is gone already.
            return

    def _next(self) -> str:
        self._count += 1
        return str(self._count)

    def _write(self, key: str, message: dict[str, Any]) -> None:
        try:
            self._store.set(key, json.dumps(message))
        except RuntimeError as error:
            raise _lost() from error

    def _read(self, keys: list[str], about: str) -> list[dict[str, Any]]:
        def there() -> list[dict[str, Any]] | None:
            try:
                return [json.loads(self._store.get(key)) for key in keys] if self._store.check(keys) else None
            except RuntimeError as error:
                raise _lost() from error

        def needed() -> list[int]:
            return [0] if len(keys) == 1 else list(range(self._world))

        found = wait_for(there, self._home, needed, about)
        if wrong := [message["about"] for message in found if message["about"] != about]:
            raise RankError(f"Ranks do different work: one is at {wrong[0]}, this one at {about}. Start all alike.")
        return found


def _lost() -> RankError:
    return RankError(
        "The first rank, or the launcher, has ended: it says itself why. What is finished is kept: run the same "
        "command again, with any number of ranks."
    )
