"""Bytes and ages as people write them. Imports nothing heavy."""

from __future__ import annotations

import re

from rethinkdc.errors import RequestError

_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_AGES = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-zA-Z]*)")


def read_size(flag: str, text: str) -> int:
    """Reads bytes: ``1GB``, ``500 MB``, ``2.5GiB``.

    Raises:
        RequestError: it is none.
    """
    number, unit = _read(text)
    if number is None or unit.lower() not in _SIZES:
        raise RequestError(f"{flag} {text}: expected bytes, such as 500MB, 1GB or 2GiB.")
    return int(number * _SIZES[unit.lower()])


def read_age(flag: str, text: str) -> float:
    """Reads an age in seconds: ``30d``, ``12h``, ``2w``, ``90m``.

    Raises:
        RequestError: it is none.
    """
    number, unit = _read(text)
    if number is None or unit not in _AGES:
        raise RequestError(f"{flag} {text}: expected an age in minutes, hours, days or weeks, such as 90m, 12h or 30d.")
    return number * _AGES[unit]


def write_size(count: int) -> str:
    """Bytes as people say them: ``512 bytes``, ``1.5 MB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def write_age(seconds: float) -> str:
    """An age as people say it, in its largest unit: ``3 d``, ``5 h``, ``2 min``."""
    for unit, size in (("d", 86_400), ("h", 3600)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} min"


def _read(text: str) -> tuple[float | None, str]:
    found = _AMOUNT.fullmatch(text.strip())
    return (float(found[1]), found[2]) if found else (None, "")
