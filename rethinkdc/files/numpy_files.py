"""NumPy's ``.npy`` and ``.npz``: what a header claims is held against its bytes before memory is asked for."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

from numpy.lib import format as npy

from rethinkdc.errors import DataError
from rethinkdc.files.unpacking import check_archive
from rethinkdc.storage import check_regular

_LONGEST_HEADER = 1 << 16
"""Bytes; NumPy itself reads a sixth of it."""


def read_npy(path: Path) -> Any:
    """The array in a file.

    Raises:
        DataError: it holds pickled objects, or says that it holds more than it does; names no file.
        ValueError: it is no such file.
    """
    with path.open("rb") as file:
        return _read_array(file, check_regular(path), path, "{loaded}.tolist()")


def read_npz(path: Path) -> dict[str, Any]:
    """The arrays in an archive, by their names.

    Raises:
        DataError: as :func:`read_npy`, or it would unpack to far more than it has.
        ValueError, zipfile.BadZipFile: it is no such file.
    """
    size = check_regular(path)
    plain = "{{k: v.tolist() if v.dtype == object else v for k, v in {loaded}.items()}}"
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_archive(members, size)
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise DataError("two of its arrays have one name")
        arrays = {}
        for name, member in zip(names, members, strict=True):
            with archive.open(member) as file:
                arrays[name] = _read_array(file, member.file_size, path, plain)
    return arrays


def _read_array(file: IO[bytes], size: int, path: Path, convert: str) -> Any:
    """An array out of ``size`` bytes."""
    begin = io.BytesIO(file.read(_LONGEST_HEADER))
    with warnings.catch_warnings():
        # Of files that Python 2 wrote; they are read.
        warnings.simplefilter("ignore")
        shape, _, kind = (npy.read_array_header_1_0 if npy.read_magic(begin) == (1, 0) else npy.read_array_header_2_0)(
            begin
        )
        if kind.hasobject:
            loaded = f"numpy.load({path.name!r}, allow_pickle=True)"
            raise DataError(
                "it holds pickled objects; those are never loaded, since they could run code. Where it comes from, "
                f"convert it with torch.save({convert.format(loaded=loaded)}, {path.stem + '.pt'!r})"
            )
        needed = math.prod(shape) * kind.itemsize
        if min(shape, default=0) < 0 or not kind.itemsize or needed > size - begin.tell():
            raise DataError(
                f"it says that it holds {kind} {list(shape)}, which is not what its {size - begin.tell():,} bytes are"
            )
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


__all__ = ["read_npy", "read_npz"]
