"""Work over rows in chunks, on threads where asked: the result never depends on how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from rethinkdc.types import ChunksMaker

CHUNK = 64
"""Rows that are decoded at their original size at one time, for each worker."""


def in_chunks(count: int, work: Callable[[int, int], None], *, workers: int = 0, chunk: int = CHUNK) -> None:
    """Calls ``work(first, last)`` for consecutive ranges of at most ``chunk`` that cover 0..count.

    Args:
        count: number of rows.
        work: writes its own rows of a result; ranges never overlap. PIL and torch release the interpreter's lock.
        workers: threads; 0 or 1 works in the caller's.
        chunk: rows in a range.

    Raises:
        Exception: the first range's error, in row order; ranges that have not begun are dropped.
    """
    firsts = range(0, count, chunk)
    if workers <= 1 or len(firsts) <= 1:
        for first in firsts:
            work(first, min(first + chunk, count))
        return
    executor = ThreadPoolExecutor(max_workers=workers)
    try:
        running = [executor.submit(work, first, min(first + chunk, count)) for first in firsts]
        for future in running:
            future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def at_once(
    name: str,  # noqa: ARG001 - the contract's signature
    count: int,
    step: int,
    make: ChunksMaker,
    *,
    unit: str = "rows",  # noqa: ARG001
    of: Any = None,  # noqa: ARG001
) -> list[dict[str, Tensor]]:
    """A pass of which nothing is kept: see :class:`rethinkdc.types.Passing`."""
    spans = [range(first, min(first + step, count)) for first in range(0, count, step)]
    return [dict(result) for result in make(spans)]


def joined(chunks: Sequence[Mapping[str, Tensor]], name: str) -> Tensor:
    """What all chunks of a pass say under one name, along the first dimension."""
    return torch.cat([chunk[name] for chunk in chunks])
