"""Real ranks for tests: processes that meet on this machine."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rethinkdc import ranks
from rethinkdc.ranks import walk

ROOT = str(Path(__file__).resolve().parents[2])
LIMIT = 600.0
"""Seconds after which a launch hangs: far more than any takes."""


class Ended(NamedTuple):
    """How a rank ended: what its work returned, the error that it raised, and its exit code."""

    value: Any
    error: str
    code: int | None


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def launch(world: int, work: Callable[[], Any], folder: Path, *, caches: Sequence[Path] = ()) -> list[Ended]:
    """What ``work`` gives on each of ``world`` ranks that share ``folder / "cache"``, or as the only process.

    Args:
        world: how many; 1 = no launch.
        work: gives tensors, numbers, texts, lists and dicts of them; a function of a module.
        folder: where they work.
        caches: a cache of each rank, instead.
    """
    # A process that has trained on a GPU cannot fork: those that come of a server that never did are as quick to start.
    context: Any = multiprocessing.get_context("forkserver")
    if ROOT not in sys.path:
        # However the tests were started, the ranks find them.
        sys.path.append(ROOT)
    context.set_forkserver_preload(["rethinkdc.training", "torch.distributed", "torch._dynamo"])
    port, here = free_port(), folder / "ranks"
    here.mkdir(parents=True, exist_ok=True)
    started = []
    for rank in range(world):
        cache = caches[rank] if caches else folder / "cache"
        process = context.Process(target=_work, args=(rank, world, port, work, cache, here / f"{rank}.pt"))
        process.start()
        started.append(process)
    for process in started:
        process.join(LIMIT)
        assert process.exitcode is not None, "a rank hangs"
    return [_read(here / f"{rank}.pt", process.exitcode) for rank, process in enumerate(started)]


def values(ended: Sequence[Ended]) -> list[Any]:
    """What all ranks gave; none may have failed."""
    assert not [one.error for one in ended if one.error or one.code]
    return [one.value for one in ended]


def _work(rank: int, world: int, port: int, work: Callable[[], Any], cache: Path, out: Path) -> None:
    told: dict[str, Any] = {"value": None, "error": ""}
    out.unlink(missing_ok=True)
    torch.set_num_threads(1)
    if world > 1:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        ranks.join(cache)
        told["value"] = work()
    except Exception as error:
        traceback.print_exc()
        told["error"] = f"{type(error).__name__}: {error}"
    torch.save(told, out)
    walk.leave()


def _read(path: Path, code: int | None) -> Ended:
    told: dict[str, Any] = torch.load(path, weights_only=True) if path.exists() else {"value": None, "error": ""}
    return Ended(told["value"], told["error"], code)
