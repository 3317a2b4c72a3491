"""How much a file may unpack to: small ones can claim, or pack, more than any memory holds."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from rethinkdc.documents import DEEPEST
from rethinkdc.errors import DataError

ALWAYS = 256 << 20
"""Bytes that any file may unpack to: a mask of millions of rows packs a thousand times."""
_TIMES = 100
"""A larger file may unpack to so many times its own bytes."""


def check_unpacked(claimed: int, size: int) -> None:
    """Refuses a file that would unpack to far more than it has, before it does.

    Args:
        claimed: bytes that it says it unpacks to.
        size: bytes that it has.

    Raises:
        DataError: it is more than any honest file; it names no file.
    """
    most = max(ALWAYS, _TIMES * size)
    if claimed > most:
        raise DataError(
            f"it has {size:,} bytes and says that it unpacks to {claimed:,}, where at most {most:,} are read; save it "
            "without compression if that is meant"
        )


def check_archive(members: Iterable[zipfile.ZipInfo], size: int) -> None:
    """As :func:`check_unpacked`, of a zip archive of ``size`` bytes and these members, which lie within it."""
    held = list(members)
    for member in held:
        if member.compress_size > size:
            raise DataError(
                f"it has {size:,} bytes and says that {member.filename!r} in it takes {member.compress_size:,}"
            )
    check_unpacked(sum(member.file_size for member in held), size)


def check_content(content: Any, size: int) -> None:
    """As :func:`check_unpacked`, of values out of a pickle, where one list may lie in another many times, or in itself.

    Whoever walks through such lists would never come to an end; nor would the memory suffice where a tensor repeats its
    few numbers many times.

    Args:
        content: mappings and lists of tensors and plain values.
        size: bytes of the file that it comes from.

    Raises:
        DataError: it is more than the file can say; names no file.
    """
    measure = _measure(content, {}, 0)
    check_unpacked(measure.bytes, size)
    # Every value takes a byte of its own to say.
    check_unpacked(measure.values * _VALUE, size)


class _Measure(NamedTuple):
    """What a value comes to where everything that lies in several places is counted in each."""

    values: int = 1
    bytes: int = 0
    height: int = 0


_VALUE = 64
"""Bytes that one takes in memory, or so."""


def _measure(value: Any, known: dict[int, _Measure | None], depth: int) -> _Measure:
    if isinstance(value, torch.Tensor | np.ndarray):
        dense = isinstance(value, np.ndarray) or (value.layout == torch.strided and not value.is_nested)
        return _Measure(bytes=value.nbytes if dense else 0)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple | set) else None
    if inner is None:
        return _Measure()
    if id(value) not in known:
        # None: until all that lies in it is measured.
        known[id(value)] = None
        parts = [_measure(one, known, depth + 1) for one in inner] if depth < DEEPEST else [_Measure(height=DEEPEST)]
        known[id(value)] = _Measure(
            1 + sum(part.values for part in parts),
            sum(part.bytes for part in parts),
            1 + max((part.height for part in parts), default=0),
        )
    measure = known[id(value)]
    if measure is None:
        raise DataError("it holds a list that lies in itself")
    if depth + measure.height > DEEPEST:
        raise DataError(f"more than {DEEPEST} lists and mappings lie within each other")
    return measure
