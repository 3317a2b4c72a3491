"""Reads the pickles of CIFAR's batches without running anything that they name.

A pickle is a program. This reader knows lists, tuples, dicts, texts, bytes and numbers, which need no program, and
stand-ins for the calls by which NumPy arrays of bytes are stored; whatever else a file names is refused before
it is looked up.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rethinkdc.errors import DataError
from rethinkdc.storage import read_regular

MOST_BYTES = 1 << 30
"""Of a batch: the published ones have 160 MB at most."""


class _ByteType:
    """Stands for ``numpy.dtype``: only that of unsigned bytes."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"an array of {code!r}, and only those of unsigned bytes are read")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment, which single bytes do not have."""


class _ByteArray:
    """Stands for an array of unsigned bytes while it is read."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, columns_first, content = state
        if not isinstance(kind, _ByteType) or not isinstance(content, (bytes, str)):
            raise pickle.UnpicklingError("an array that is not made of unsigned bytes")
        # Protocols before 3 know no bytes: they store the text that has the same code points.
        raw = content.encode("latin-1") if isinstance(content, str) else content
        values = np.frombuffer(raw, dtype=np.uint8)
        self.values = values.reshape(shape, order="F" if columns_first else "C")


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _ByteArray:
    """Stands for the call by which protocol 5 stores an array."""
    # bytes(n) of a number would make n of them.
    if not isinstance(content, bytes | bytearray | pickle.PickleBuffer):
        raise pickle.UnpicklingError("an array that is not made of unsigned bytes")
    made = _ByteArray()
    made.__setstate__((1, shape, kind, order == "F", bytes(content)))
    return made


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stands for ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in a form that is not known")
    return text.encode("latin-1")


def _empty_bytes() -> bytes:
    """Stands for ``bytes()``."""
    return b""


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _ByteArray for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _ByteArray,
    ("numpy", "dtype"): _ByteType,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
}


class _PlainUnpickler(pickle._Unpickler):
    """The one that is written in Python: its twin in C asks for as much memory as a number in the file says.

    For an array of bytes so does this one, until it is told to read what there is.
    """

    read: Callable[[int], bytes]
    append: Callable[[object], None]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def load_bytearray8(self) -> None:
        """Reads no more bytes than there are."""
        (size,) = struct.unpack("<Q", self.read(8))
        content = self.read(size)
        if len(content) < size:
            raise EOFError(f"{len(content):,} of {size:,} bytes")
        self.append(bytearray(content))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not called here") from None


def read_plain_pickle(path: Path) -> dict[str, Any]:
    """Reads a dict of lists, texts, bytes, numbers and arrays of unsigned bytes; keys as texts.

    Raises:
        DataError: the file is missing or damaged, too large, or holds anything else.
    """
    try:
        # Out of memory: a file asks for the bytes that it is told to read before it has them.
        content = _PlainUnpickler(io.BytesIO(read_regular(path, MOST_BYTES)), encoding="bytes").load()
    except Exception as error:  # damaged pickles raise almost anything
        raise DataError(
            f"Cannot read the batch {path}: {type(error).__name__}: {error}. It must be a file of CIFAR as published: "
            "lists, texts and arrays of bytes. Restore it from the archive."
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"The batch {path} holds a {type(content).__name__}, expected the dict of CIFAR's batches.")
    keys = [key.decode("latin-1") if isinstance(key, bytes) else key for key in content]
    if odd := [key for key in keys if not isinstance(key, str)]:
        raise DataError(f"The batch {path} holds a key that is no text but of type {type(odd[0]).__name__}.")
    values = (value.values if isinstance(value, _ByteArray) else value for value in content.values())
    return dict(zip(keys, values, strict=True))
