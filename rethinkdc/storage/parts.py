"""Parts of a longer work: each written once, and its seal after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rethinkdc.storage.digests import file_digest
from rethinkdc.storage.reading import check_regular, read_regular
from rethinkdc.storage.writing import write_atomic


class Part(NamedTuple):
    """What the making of a part took.

    Attributes:
        seconds: of the clock.
        images: that went through networks; None where they were not counted.
    """

    seconds: float
    images: int | None


def keep_part(
    path: Path,
    payload: Callable[[], bytes],
    images: Callable[[], int | None] = lambda: 0,
    earlier: Callable[[], float] = lambda: 0.0,
) -> Part | None:
    """Writes one part of a longer work to ``path`` unless it is there already, whole.

    The seal beside it, a checksum and what the making took, is written last: a part without one, or with another, is
    made again.

    Args:
        path: where it lies.
        payload: makes it.
        images: tells, when it is made, how many images the making put through networks; None = nobody knows.
        earlier: tells, when it is made, the seconds that earlier tries took to come to where this one began.

    Returns:
        What the part took when it was made before; None when it was made now.
    """
    known = kept_part(path)
    if known is not None:
        return known
    begun = time.perf_counter()
    write_atomic(path, payload())
    spent = time.perf_counter() - begun + earlier()
    _seal(path, path.with_suffix(".sealed"), Part(spent, images()))
    return None


def kept_part(path: Path) -> Part | None:
    """What a part took which :func:`keep_part` wrote; None when it is not there, or not whole."""
    try:
        checksum, seconds, *images = read_regular(path.with_suffix(".sealed")).decode().split(" ")
        check_regular(path)
        whole = checksum == file_digest(path)
        return Part(float(seconds), int(images[0]) if images else None) if whole else None
    except (OSError, ValueError):
        # Missing, cut off, or something else in its place.
        return None


def _seal(path: Path, seal: Path, part: Part) -> None:
    counted = "" if part.images is None else f" {part.images}"
    write_atomic(seal, f"{file_digest(path)} {part.seconds:.6f}{counted}".encode())
