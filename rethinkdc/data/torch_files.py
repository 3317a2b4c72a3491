"""Files that ``torch.save`` wrote: tensors and plain values are read, and nothing in a file is ever run."""

from __future__ import annotations

import argparse
import re
import types
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from rethinkdc.errors import DataError

_UNKNOWN = re.compile(r"GLOBAL (\S+)")
_REASON = re.compile(r"WeightsUnpickler error:\s*(.+)")
_DAMAGED = "is damaged, or no file of torch"
_PICKLE = b"\x80"
"""What a pickle starts with, and so an old file of torch too."""


def load_torch(path: Path, anew: str) -> Any:
    """What a file of torch holds, on the CPU: memory-mapped where its age allows.

    Let through beside tensors and plain containers: NumPy's numbers, which trainers keep as accuracies, and namespaces
    of options. Both are rebuilt from bytes and names alone.

    Args:
        path: the file.
        anew: the line of Python that saves what is wanted of it where it can be loaded; errors tell it.

    Raises:
        DataError: no such file, damaged, or it holds objects; says which, in a line, and how to save it anew.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        with _harmless_objects(), warnings.catch_warnings():
            # Of formats that are refused below in words of our own.
            warnings.simplefilter("ignore")
            return _load(path)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:  # torch raises many unrelated types
        fault = _name_fault(path, str(error) or type(error).__name__)
        raise DataError(f"{path} {fault}. Where the file comes from, load it and save its tensors: {anew}") from error


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:
        # Files of torch before 1.6 are no archives that could be mapped.
        return torch.load(path, map_location="cpu", weights_only=True)


def _harmless_objects() -> AbstractContextManager[Any]:
    """Lets NumPy's numbers and namespaces through, and nothing else of their modules."""
    import numpy as np

    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        return nullcontext()
    scalar = np.float64(0).__reduce__()[0]
    names = [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]
    numbers = (np.bool_, np.float16, np.float32, np.float64, np.uint8, np.int8, np.int16, np.int32, np.int64)
    kinds = [type(np.dtype(kind)) for kind in numbers]
    allowed: list[Any] = [*names, np.dtype, *kinds, argparse.Namespace, types.SimpleNamespace]
    return torch.serialization.safe_globals(allowed)


def _name_fault(path: Path, told: str) -> str:
    """What is wrong with a file, in a line: torch's own words are advice to run what it holds."""
    if unknown := _UNKNOWN.search(told):
        what = f"holds objects that are no tensors ({unknown.group(1)})"
        return f"{what}; those are never loaded, since they could run code"
    if "TorchScript" in told:
        return "is a TorchScript archive, a program, and programs are never loaded"
    if "Unsupported operand" in told:
        with path.open("rb") as file:
            pickled = file.read(1) == _PICKLE
        return "is a pickle of Python, and pickles are never loaded, since they could run code" if pickled else _DAMAGED
    reason = _REASON.search(told)
    line = (reason.group(1) if reason else told).strip().splitlines()[0]
    return f"{_DAMAGED} ({line.partition('. ')[0].rstrip('.')})"
