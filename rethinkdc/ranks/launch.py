"""One launch: all its ranks meet, and are held to be alike."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from rethinkdc.errors import RequestError
from rethinkdc.ranks.living import ENDED, Missing, ended, patience
from rethinkdc.ranks.messages import Messages
from rethinkdc.ranks.place import RankError, rank, world
from rethinkdc.storage import write_file

_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
_LOOKS = 0.2
"""Seconds between two looks at who lives, while all meet."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Launch:
    """The ranks that met.

    Attributes:
        rank: which of them this is.
        world: how many there are.
        messages: between them.
    """

    rank: int
    world: int
    messages: Messages

    def leave(self) -> None:
        """Ends the launch for this rank; the first keeps the store until the others have left, or for some seconds."""
        self.messages.leave()
        dist.destroy_process_group()

    def require_alike(self, what: str, value: str, advice: str) -> None:
        """Checks that all ranks have the same of something.

        Args:
            what: its name, as in ``the cache``.
            value: this rank's.
            advice: what to do where they have not.

        Raises:
            RequestError: names two that differ.
        """
        values = self.messages.exchange(value, what)
        for other, found in enumerate(values):
            if found != values[0]:
                raise RequestError(
                    f"Ranks must have {what} in common: rank 0 has {values[0]}, rank {other} {found}. {advice}"
                )


def begin(home: Path) -> Launch:
    """Meets the other ranks.

    Args:
        home: the cache folder that all ranks share.

    Raises:
        RankError: they cannot be met.
        RequestError: the environment does not say where, or they are not alike.
    """
    if missing := [name for name in _ADDRESS if not os.environ.get(name)]:
        raise RequestError(
            f"RANK and WORLD_SIZE are set, and {missing[0]} is not: ranks do not know where to meet. Start them with "
            "torchrun, for example: torchrun --nproc-per-node 2 -m rethinkdc run ..."
        )
    limit = timedelta(seconds=max(1.0, patience()))
    store = _hearing(lambda: next(rendezvous("env://", rank(), world(), timeout=limit))[0], home)
    launch = Launch(rank(), world(), Messages(PrefixStore("messages", store), home, rank(), world()))
    try:
        for package in ("rethinkdc", "torch"):
            launch.require_alike(f"the version of {package}", version(package), "Install the same on all machines.")
        _require_one_cache(launch, home)
    except RequestError:
        # All are refused alike: who keeps the store waits until the others have read why.
        launch.messages.leave()
        raise

    def join_tensors() -> None:
        # Both kinds in one group: which one carries a tensor follows from where it lies.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        tensors = PrefixStore("tensors", store)
        dist.init_process_group(backend, store=tensors, rank=rank(), world_size=world(), timeout=limit)

    _hearing(join_tensors, home)
    return launch


def _hearing(call: Callable[[], _T], home: Path) -> _T:
    """What a call gives that waits inside torch; signals are heard meanwhile, and that a rank ended which was there.

    Raises:
        RankError: the ranks did not meet.
    """
    called: Future[_T] = Future()

    def work() -> None:
        try:
            called.set_result(call())
        except BaseException as error:
            called.set_exception(error)

    # Nothing can end what waits in there, so it must not keep the process.
    Thread(target=work, name="rethinkdc-meeting", daemon=True).start()
    missing, seen = Missing(home), set[int]()
    while not wait([called], timeout=_LOOKS).done:
        seen |= missing.there()
        if (gone := missing.longer_than(ENDED, seen)) is not None:
            raise ended(gone, "the meeting of all ranks")
    try:
        return called.result()
    except (RuntimeError, ValueError) as error:
        where = ":".join(os.environ[name] for name in _ADDRESS)
        raise RankError(
            f"The {world()} ranks did not meet at {where} within {max(1.0, patience()):.0f} s "
            f"({str(error).splitlines()[0]}). Were all started, and is the port free? Another is chosen with "
            "torchrun --standalone or --master-port."
        ) from error


def _require_one_cache(launch: Launch, home: Path) -> None:
    """Two folders of one name may lie on two machines: the first rank writes what the others must read."""
    token = secrets.token_hex(8)
    path = home / "locks" / "ranks" / f"{launch.messages.tell(lambda: token, 'the launch')}.met"
    if launch.rank == 0:
        write_file(path, b"")
    launch.messages.exchange(None, "the first rank's file")
    seen = launch.messages.exchange({"cache": str(home), "sees": path.exists()}, "the cache")
    if launch.rank == 0:
        path.unlink(missing_ok=True)
    for other, told in enumerate(seen):
        if not told["sees"]:
            raise RequestError(
                f"Ranks work through one cache, and rank {other} does not see in {told['cache']} what rank 0 wrote to "
                f"{seen[0]['cache']}. Give all the same folder, which all machines share, by --cache-dir or "
                "RETHINKDC_CACHE."
            )
