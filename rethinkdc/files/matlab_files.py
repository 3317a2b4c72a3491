"""Arrays of structures in MATLAB's files of version 5, as far as numbers and texts go.

SciPy's reader takes the sizes in a file at their word, which ends the process where the file is damaged.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rethinkdc.errors import DataError
from rethinkdc.storage import read_regular

Value = tuple[float, ...] | str | None
"""What a field holds: numbers, a text, or something else."""

_MOST_BYTES = 64 << 20
"""Of a file, and of what an array in it unpacks to: that of ImageNet's kit has a thousandth."""
_HEADER = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of elements, by their codes."""
_TEXTS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4
"""Classes of arrays."""


def read_structs(path: Path, name: str, fields: Sequence[str]) -> list[tuple[Value, ...]]:
    """The given fields of each structure of the array ``name``.

    Raises:
        DataError: the file cannot be read, or holds no such array; names the file.
    """
    try:
        content = read_regular(path, _MOST_BYTES)
        reader = _Reader("<" if content[126:128] == b"IM" else ">")
        for matrix in reader.matrices(content[_HEADER:]):
            found = reader.structs(matrix, name, fields)
            if found is not None:
                return found
    except (DataError, OSError, ValueError, IndexError, LookupError, zlib.error) as error:
        raise DataError(f"{path} is no file of MATLAB 5 that can be read: {error}.") from error
    raise DataError(f"{path} holds no structures named {name} with the fields {', '.join(fields)}.")


class _Reader:
    def __init__(self, order: str) -> None:
        self.order = order

    def matrices(self, content: bytes) -> Iterator[bytes]:
        """The arrays at the top, out of what they are packed in."""
        for kind, part in self._elements(content):
            if kind == _COMPRESSED:
                unpack = zlib.decompressobj()
                plain = unpack.decompress(part, _MOST_BYTES)
                if unpack.unconsumed_tail:
                    raise ValueError(f"an array that unpacks to more than {_MOST_BYTES:,} bytes")
                yield from self.matrices(plain)
            elif kind == _MATRIX:
                yield part
            else:
                raise ValueError(f"a part of the type {kind} where arrays lie")

    def structs(self, matrix: bytes, name: str, fields: Sequence[str]) -> list[tuple[Value, ...]] | None:
        """The fields of an array of structures of this name; None = it is another."""
        parts = self._elements(matrix)
        flags, shape, called = (next(parts, (0, b""))[1] for _ in range(3))
        if called.decode("latin-1") != name or self._class(flags) != _STRUCT:
            return None
        width = int(self._numbers(*next(parts, (0, b"")))[0])
        names = next(parts, (0, b""))[1]
        if width < 1 or len(names) % width:
            raise ValueError("names of fields that are cut off")
        known = [names[at : at + width].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), width)]
        places = [known.index(field) for field in fields]
        values = [part for kind, part in parts if kind == _MATRIX]
        count = math.prod(map(int, self._numbers(5, shape)))
        if count < 0 or count * len(known) != len(values):
            raise ValueError(f"{count} structures of {len(known)} fields in {len(values)} values")
        rows = range(0, len(values), len(known) or 1)
        return [tuple(self._value(values[row + place]) for place in places) for row in rows]

    def _value(self, matrix: bytes) -> Value:
        parts = self._elements(matrix)
        flags, _, _, (kind, content) = (next(parts, (0, b"")) for _ in range(4))
        if self._class(flags[1]) == _CHAR:
            if kind in _TEXTS:
                return content.decode(_TEXTS[kind] + ("" if kind == 16 else {"<": "-le", ">": "-be"}[self.order]))
            return "".join(map(chr, map(int, self._numbers(kind, content))))
        return self._numbers(kind, content) if kind in _NUMBERS else None

    def _class(self, flags: bytes) -> int:
        return int(self._numbers(6, flags)[0]) & 0xFF

    def _numbers(self, kind: int, content: bytes) -> tuple[float, ...]:
        numbers = np.frombuffer(content, np.dtype(self.order + _NUMBERS[kind])).tolist()
        return tuple(numbers)

    def _elements(self, content: bytes) -> Iterator[tuple[int, bytes]]:
        """The parts of an array, or of the file: the code of each one's type, and its bytes."""
        at = 0
        while at + 8 <= len(content):
            kind, size = struct.unpack_from(f"{self.order}II", content, at)
            if kind >> 16:
                # Up to four bytes lie in the place of their number.
                kind, size, at = kind & 0xFFFF, kind >> 16, at + 4
                yield kind, content[at : at + min(size, 4)]
                at += 4
                continue
            at += 8
            if size > len(content) - at:
                raise ValueError(f"a part of {size:,} bytes where {len(content) - at:,} are left")
            yield kind, content[at : at + size]
            at += size if kind == _COMPRESSED else -(-size // 8) * 8
