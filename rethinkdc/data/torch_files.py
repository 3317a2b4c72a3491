"""Files of ``torch.save``, read without running what they hold: tensors, NumPy's numbers and arrays, plain values."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rethinkdc.errors import DataError


def read_torch(path: Path) -> Any:
    """What a ``.pt``, ``.pth`` or ``.ckpt`` file holds, on the CPU and memory-mapped where its format allows.

    NumPy's arrays come as tensors, its numbers as Python's.

    Raises:
        DataError: damaged, no file of torch, or objects that are neither tensors nor plain values: names the first.
    """
    try:
        return plain(_load(path))
    except pickle.UnpicklingError as error:
        raise DataError(f"{path} {explain_refusal(error)}") from error
    except Exception as error:  # torch raises unrelated types
        reason = (str(error).strip().splitlines() or [""])[0]
        raise DataError(f"{path} is no file of torch.save, or damaged: {type(error).__name__}: {reason}") from error


def explain_refusal(error: pickle.UnpicklingError) -> str:
    """Says in a sentence's rest what the reader met, and never how to switch its guard off."""
    found = re.search(r"GLOBAL (\S+\.\S+)|(?:class|global|Tried to instantiate class):? (\S+\.\S+)", str(error))
    if found is None:
        return "is damaged, or no file of torch.save."
    return (
        f"holds objects of the type {found[1] or found[2]}; only tensors and plain values are loaded, since others "
        "could run code. Where it comes from, load it and save its tensors alone: torch.save({'name': tensor}, FILE)."
    )


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


def _load(path: Path) -> Any:
    with _numbers_allowed():
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:
            # Files of torch before 1.6 are no archives that could be mapped.
            return torch.load(path, map_location="cpu", weights_only=True)


def _numbers_allowed() -> AbstractContextManager[Any]:
    """Lets NumPy's numbers and arrays through: they are rebuilt from a type and bytes, nothing else is let in."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return nullcontext()
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    names = [
        (made, f"{module}.multiarray.{name}")
        for module in ("numpy.core", "numpy._core")
        for made, name in ((scalar, "scalar"), (array, "_reconstruct"))
    ]
    kinds = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    allowed: list[Any] = [*names, np.ndarray, np.dtype, *sorted(kinds, key=str)]
    return torch.serialization.safe_globals(allowed)
