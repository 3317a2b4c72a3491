"""Files of tensors: safetensors, and tables of NumPy that are written and read through memory maps."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

from rethinkdc.errors import DamagedError
from rethinkdc.storage.faults import storing, system_error
from rethinkdc.storage.reading import check_regular, show_path
from rethinkdc.storage.writing import write_spaced

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_HEADER = 4096
"""Bytes that precede the numbers of a table, at most."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Writes contiguous tensors to a safetensors file of a folder that is being filled.

    Raises:
        StorageError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with storing(path, needed=sum(tensor.nbytes for tensor in tensors.values())):
        try:
            save_file(dict(tensors), path, metadata)
        except SafetensorError as error:
            raise (system_error(error) or error) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Memory-mapped tensors of a safetensors file.

    Raises:
        DamagedError: it is none, or cut off.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except SafetensorError as error:
        raise DamagedError(f"{path} is damaged: {error}. Delete the file and run again.") from error


def make_table(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Makes a ``.npy`` file of zeros, whole or not at all, and maps it for writing.

    Args:
        path: of the file.
        kind: its dtype.
        shape: of the table.

    Raises:
        StorageError: there is no room for it, which is seen here and not when the map is written.
    """
    import numpy as np

    head = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    write_spaced(path, len(head.getvalue()) + _bytes(kind, shape), head.getvalue())
    return open_table(path, kind, shape)


def open_table(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Maps, for writing, what :func:`make_table` made.

    Raises:
        OSError: it is not there, or no file.
        ValueError: it is another table, or cut off.
    """
    import numpy as np

    present = check_regular(path)
    with path.open("rb") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"{path} is no table of version 1.0")
        found, _, dtype = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
    size = offset + _bytes(kind, shape)
    # A map that is larger than its file would be made to fit it: what is missing would read as zeros.
    if (found, dtype) != (shape, np.dtype(kind)) or present != size:
        raise ValueError(f"{path} is no table of {np.dtype(kind)} {list(shape)} with {size:,} bytes")
    return np.memmap(path, np.dtype(kind), "r+", offset, shape)


def flush_table(table: np.memmap[Any, Any]) -> None:
    """Writes what has changed in a mapped table to disk.

    Raises:
        StorageError: it cannot be written.
    """
    with storing(Path(str(table.filename))):
        table.flush()


def map_table(path: Path) -> np.ndarray[Any, Any]:
    """A table as it lies on disk; what is written to it stays in memory, as torch has no tensors that are only read.

    Raises:
        DamagedError: it is missing, none, or cut off.
    """
    import numpy as np
    from numpy.lib import format as npy

    try:
        check_regular(path)
        with path.open("rb") as file:
            # No more of it, whatever it says of its own length.
            begin = io.BytesIO(file.read(_HEADER))
        if npy.read_magic(begin) != (1, 0):
            raise ValueError("it is no table of this framework")
        with warnings.catch_warnings():
            # Of headers that Python 2 wrote.
            warnings.simplefilter("ignore")
            shape, by_columns, kind = npy.read_array_header_1_0(begin)
        if by_columns or kind.hasobject:
            raise ValueError("it is no table of this framework")
        table: np.ndarray[Any, Any] = np.memmap(path, dtype=kind, shape=shape, mode="c", offset=begin.tell())
    except (OSError, ValueError, TypeError, OverflowError, SyntaxError, TokenError) as error:
        raise DamagedError(f"{show_path(path)} is damaged: {error}. Delete its folder and run again.") from error
    return table


def _bytes(kind: Any, shape: tuple[int, ...]) -> int:
    import numpy as np

    return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))
