"""Encoded image files that take no memory of their own: Arrow columns and compact lists of paths."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

from rethinkdc.errors import DataError
from rethinkdc.storage import show_path


class Blobs(Protocol):
    """Encoded image files by row number."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> bytes | Path:
        """The bytes of one image file, or the path that holds them."""
        ...

    def where(self, row: int) -> str:
        """Names one image file for an error message."""
        ...


_PATH_FIELDS = ("path", "filename", "file_name")
_SHOWN = 120
"""Characters of a path that errors show."""


class ArrowBlobs:
    """A column of encoded images, left where it is: usually memory-mapped.

    The images are bytes, paths, or a struct of ``bytes`` and a ``path`` (some write ``filename``); other fields are not
    used.
    """

    def __init__(self, column: Any, label: str, bases: Sequence[Path] = ()) -> None:
        """Takes a ``pyarrow.ChunkedArray``.

        Args:
            column: N images.
            label: what to call it in errors, for example ``"the train split of FOLDER"``.
            bases: the folders that relative paths may be relative to, the preferred first.

        Raises:
            DataError: the column's type holds no encoded images.
        """
        import pyarrow.compute as pc

        self.label = label
        self._bases = tuple(bases)
        self._bytes: Any = None
        self._paths: Any = None
        self._count = len(column)
        if _is_binary(column.type):
            self._bytes = column
            return
        if _is_text(column.type):
            self._paths = column
            return
        fields = _fields_of(column.type)
        path = next((name for name in _PATH_FIELDS if name in fields and _is_text(fields[name])), None)
        stored = "bytes" in fields and (_is_binary(fields["bytes"]) or _is_null(fields["bytes"]))
        if not stored and path is None:
            raise DataError(
                f"The image column of {label} is of type {column.type}, expected encoded images: binary, or "
                "struct<bytes: binary, path: string>; or strings, paths of image files."
            )
        if stored:
            self._bytes = pc.struct_field(column, "bytes")
        if path:
            self._paths = pc.struct_field(column, path)

    def __len__(self) -> int:
        return self._count

    def read(self, row: int) -> bytes | Path:
        content: bytes | None = None if self._bytes is None else self._bytes[row].as_py()
        if content is not None:
            return content
        path = self._path(row)
        if path is None:
            raise DataError(f"There is no image at {self.where(row)}: neither bytes nor a path is stored.")
        return self._find(path, row)

    def where(self, row: int) -> str:
        path = self._path(row)
        shown = path if path is None or len(path) <= _SHOWN else f"{path[:_SHOWN]}..."
        return f"row {row} of {self.label}" + (f" ({shown})" if shown else "")

    def _path(self, row: int) -> str | None:
        return None if self._paths is None else self._paths[row].as_py()

    def _find(self, path: str, row: int) -> Path:
        """The file of a stored path: never relative to where the command runs."""
        if Path(path).is_absolute():
            return Path(path)
        # Of any text, also one that is no name of a file, which Path refuses with an error of its own.
        places = [base / path for base in self._bases if os.path.isfile(base / path)]  # noqa: PTH113
        found = {os.path.realpath(place): None for place in places}
        if len(found) > 1:
            raise DataError(f"The path at {self.where(row)} means several files: {' and '.join(found)}.")
        if not found:
            tried = " and ".join(map(str, self._bases)) or "no folder that paths could be relative to"
            raise DataError(f"There is no image at {self.where(row)}: no such file in {tried}.")
        return Path(next(iter(found)))


class HeldBlobs:
    """Image files whose bytes are held in memory."""

    def __init__(self, contents: Sequence[bytes], label: str) -> None:
        """Takes the bytes of each file; ``label`` is what to call them in errors."""
        self._contents = contents
        self._label = label

    def __len__(self) -> int:
        return len(self._contents)

    def read(self, row: int) -> bytes:
        return self._contents[row]

    def where(self, row: int) -> str:
        return f"row {row} of {self._label}"


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
        return show_path(self.read(row))


def _fields_of(kind: Any) -> dict[str, Any]:
    """The fields of a struct type by name; none for other types."""
    import pyarrow as pa

    return {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)} if pa.types.is_struct(kind) else {}


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    view = getattr(types, "is_binary_view", None)
    return (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or bool(view and view(kind))
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    view = getattr(pa.types, "is_string_view", None)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or bool(view and view(kind))


def _is_null(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_null(kind))
