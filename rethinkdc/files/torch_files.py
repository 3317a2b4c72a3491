"""Files of ``torch.save``, read without running what they hold: tensors, NumPy's numbers and arrays, plain values."""

from __future__ import annotations

import argparse
import errno
import io
import re
import tarfile
import types
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rethinkdc.errors import DataError
from rethinkdc.files.first_bytes import name_file, read_start
from rethinkdc.files.unpacking import check_archive, check_content
from rethinkdc.storage import check_regular, read_regular

_UNKNOWN = re.compile(r"GLOBAL (\S+)|(?:class|global|Tried to instantiate class):? (\S+\.\S+)")
_REASON = re.compile(r"WeightsUnpickler error:\s*(.+)")
_DAMAGED = "is damaged, or no file of torch.save"
_ARCHIVE = b"PK"
_LONGEST = 1 << 14
_WORD = re.compile(rb"\S{%d}" % _LONGEST)
_PICKLE = b"\x80"
"""What a pickle starts with, and so an old file of torch too."""


def read_torch(path: Path, anew: str = "torch.save({'name': tensor}, FILE).") -> Any:
    """What a ``.pt``, ``.pth`` or ``.ckpt`` file holds, on the CPU and memory-mapped where its format allows.

    NumPy's arrays come as tensors, its numbers as Python's; namespaces of options, which trainers keep beside weights,
    as they are.

    Args:
        path: the file.
        anew: the line of Python that saves what is wanted of it where it can be loaded; errors tell it.

    Raises:
        DataError: no such file, damaged, or it holds objects; says which, in a line, and how to save it anew.
    """
    try:
        size = check_regular(path)
    except OSError as error:
        told = f"There is no file {path}." if error.errno == errno.ENOENT else f"Cannot read {path}: {error.strerror}."
        raise DataError(told) from error
    try:
        with _harmless_allowed(), warnings.catch_warnings():
            # Of formats that are refused below in words of our own.
            warnings.simplefilter("ignore")
            content = _load(path, size)
        check_content(content, size)
    except DataError as error:
        raise DataError(f"{path} is not read: {error}. Save its tensors anew: {anew}") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:  # torch raises many unrelated types
        fault = _name_fault(path, str(error) or type(error).__name__)
        raise DataError(f"{path} {fault}. Where the file comes from, load it and save its tensors: {anew}") from error
    return plain(content)


def plain(content: Any) -> Any:
    """The same content with tensors and Python's numbers in place of NumPy's, also inside mappings and lists.

    Raises:
        DataError: an array of objects or texts.
    """
    if isinstance(content, np.generic):
        return content.item()
    if isinstance(content, np.ndarray):
        return to_tensor(content)
    if isinstance(content, Mapping):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(plain(value) for value in content) if type(content) in (list, tuple) else content
    return content


def to_tensor(array: Any) -> torch.Tensor:
    """A NumPy array of numbers as a tensor of its type, in the machine's byte order.

    Raises:
        DataError: it holds no numbers, or numbers that torch has no type for.
    """
    ordered = np.ascontiguousarray(array)
    if ordered.shape != array.shape:
        ordered = ordered.reshape(array.shape)
    native = ordered.astype(ordered.dtype.newbyteorder("="), copy=False)
    if native.dtype.kind == "u" and native.dtype.itemsize > 1:
        if native.size and int(native.max()) >= 1 << 63:
            raise DataError(f"it holds {native.dtype} numbers beyond int64")
        native = native.astype(np.int64)
    if native.dtype.kind not in "biuf" or native.dtype.itemsize > 8:
        raise DataError(f"it holds {array.dtype} and not numbers")
    return torch.from_numpy(native if native.flags.writeable else native.copy())


def _load(path: Path, size: int) -> Any:
    if read_start(path).startswith(_ARCHIVE):
        with zipfile.ZipFile(path) as archive:
            check_archive(archive.infolist(), size)
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    _check_words(archive.read(name))
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    # Files of torch before 1.6 are no archives that could be mapped. Out of memory: they ask for the bytes that they
    # are told to read before they have them.
    held = _Held(read_regular(path))
    if tarfile.is_tarfile(held):
        # torch 2.5 unpickles those whatever it is told.
        raise DataError("it is a tar archive, as torch wrote them before 0.1.10")
    held.seek(0)
    return torch.load(held, map_location="cpu", weights_only=True)


def _check_words(content: bytes) -> None:
    """Refuses what torch would search for an error's cause until tomorrow: its time grows with the square of a word."""
    if _WORD.search(content):
        raise DataError(f"it holds a text of more than {_LONGEST:,} characters without a blank")


class _Held(io.BytesIO):
    """A file in memory whose texts are looked at as they are read; numbers of tensors go by ``readinto``."""

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        _check_words(content)
        return content

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        _check_words(line)
        return line


def _harmless_allowed() -> AbstractContextManager[Any]:
    """Lets NumPy's numbers and arrays and namespaces through: they are rebuilt from types, names and bytes alone."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return nullcontext()
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    names = [
        (made, f"{module}.multiarray.{name}")
        for module in ("numpy.core", "numpy._core")
        for made, name in ((scalar, "scalar"), (array, "_reconstruct"))
    ]
    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    namespaces = [argparse.Namespace, types.SimpleNamespace]
    allowed: list[Any] = [*names, np.ndarray, np.dtype, *sorted(kinds, key=str), *namespaces]
    return torch.serialization.safe_globals(allowed)


def _name_fault(path: Path, told: str) -> str:
    """What is wrong with a file, in a line: torch's own words are advice to run what it holds."""
    if unknown := _UNKNOWN.search(told):
        what = f"holds objects that are no tensors ({unknown[1] or unknown[2]})"
        return f"{what}; those are never loaded, since they could run code"
    if "TorchScript" in told:
        return "is a TorchScript archive, a program, and programs are never loaded"
    # An archive that is cut off begins as a whole one.
    if not read_start(path).startswith(_ARCHIVE) and (known := name_file(path)):
        return known
    if "Unsupported operand" in told:
        with path.open("rb") as file:
            pickled = file.read(1) == _PICKLE
        return "is a pickle of Python, and pickles are never loaded, since they could run code" if pickled else _DAMAGED
    reason = _REASON.search(told)
    line = (reason[1] if reason else told).strip().splitlines()[0]
    return f"{_DAMAGED} ({line.partition('. ')[0].rstrip('.')})"
