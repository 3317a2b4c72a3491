"""Checkpoints of a training run: written whole or not at all, and read without pickle."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch

from rethinkdc.errors import DamagedError
from rethinkdc.storage import read_sealed, write_sealed

FILE = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Puts ``state`` (tensors, numbers, texts, lists and dicts of them) in place of the checkpoint in ``folder``."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_sealed(folder / FILE, buffer.getvalue())


def load_checkpoint(folder: Path, definition: str) -> dict[str, Any] | None:
    """The state saved in ``folder`` under the same ``definition``; None when there is none.

    A damaged checkpoint, or one of another training run, is reported with a warning and counts as none.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(read_sealed(path)), map_location="cpu", weights_only=True)
    except DamagedError as error:
        warnings.warn(f"{error} Training starts again from its first step.", stacklevel=2)
        return None
    if state["definition"] != definition:
        warnings.warn(f"{path} belongs to another training run. Training starts from its first step.", stacklevel=2)
        return None
    return state
