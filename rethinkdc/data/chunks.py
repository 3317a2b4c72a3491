"""Work over rows in chunks, on threads where asked: the result never depends on how many."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
