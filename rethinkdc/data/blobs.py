"""Encoded image files that take no memory of their own: Arrow columns and compact lists of paths."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from rethinkdc.errors import DataError


class Blobs(Protocol):
    """Encoded image files by row number."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> bytes | Path:
        """The bytes of one image file, or the path that holds them."""
        ...

    def where(self, row: int) -> str:
        """Names one image file for an error message."""
        ...


class ArrowBlobs:
    """A column of ``struct<bytes: binary, path: string>``, left where it is: usually memory-mapped."""

    def __init__(self, column: Any, label: str) -> None:
        """Takes a ``pyarrow.ChunkedArray`` and what to call it in errors, for example ``"the train split of FOLDER"``.

        Raises:
            DataError: the column's type holds no encoded images.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = column.type
        if not pa.types.is_struct(kind) or {kind.field(i).name for i in range(kind.num_fields)} != {"bytes", "path"}:
            raise DataError(
                f"The image column of {label} is of type {kind}, expected struct<bytes: binary, path: string>."
            )
        self.label = label
        self._bytes = pc.struct_field(column, "bytes")
        self._paths = pc.struct_field(column, "path")

    def __len__(self) -> int:
        return len(self._bytes)

    def read(self, row: int) -> bytes | Path:
        content: bytes | None = self._bytes[row].as_py()
        if content is not None:
            return content
        path: str | None = self._paths[row].as_py()
        if path is None:
            raise DataError(f"There is no image at {self.where(row)}: neither bytes nor a path is stored.")
        return Path(path)

    def where(self, row: int) -> str:
        path = self._paths[row].as_py()
        return f"row {row} of {self.label}" + (f" ({path})" if path else "")


class PathBlobs:
    """Image files of some folders, their names held as bytes back to back.

    A row costs the length of its file name and 4 bytes, where a Python string would cost over 50 more.
    """

    def __init__(self, folders: Iterable[tuple[Path, list[str]]]) -> None:
        """Takes each folder with the names of its files relative to it; rows follow this order."""
        import pyarrow as pa

        self._folders: list[Path] = []
        self._names: list[Any] = []
        for folder, names in folders:
            self._folders.append(folder)
            self._names.append(pa.array([os.fsencode(name) for name in names], type=pa.binary()))
        self._starts = list(accumulate(self.counts, initial=0))

    @property
    def counts(self) -> list[int]:
        """Number of files in each folder."""
        return [len(names) for names in self._names]

    def __len__(self) -> int:
        return self._starts[-1]

    def read(self, row: int) -> Path:
        if not 0 <= row < len(self):
            raise IndexError(f"Row {row} of {len(self)} files.")
        folder = bisect_right(self._starts, row) - 1
        name = self._names[folder][row - self._starts[folder]].as_py()
        return self._folders[folder] / os.fsdecode(name)

    def where(self, row: int) -> str:
        return str(self.read(row))
