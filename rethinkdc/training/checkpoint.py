"""Checkpoints: state that survives a kill, written whole or not at all, and read without pickle."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable
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

    A damaged checkpoint, or one of other work, is reported with a warning and counts as none.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(read_sealed(path)), map_location="cpu", weights_only=True)
    except DamagedError as error:
        warnings.warn(f"{error} The work starts again from its beginning.", stacklevel=2)
        return None
    if state["definition"] != definition:
        warnings.warn(f"{path} belongs to other work. This work starts from its beginning.", stacklevel=2)
        return None
    return state


def counted_between(before: int | None, after: int | None) -> int | None:
    """What was counted between two looks at a number that may not be known."""
    return None if before is None or after is None else after - before


class Resumable:
    """State of a longer work: restored once at its beginning, kept now and then.

    ::

        kept = context.resumable("matching")
        state = kept.restore() or {"iteration": 0, "images": images}
        for iteration in range(state["iteration"], count):
            ...
            kept.keep(lambda: {"iteration": iteration + 1, "images": images.detach().cpu()})

    Args:
        folder: where the state lies.
        definition: of the work; the state of other work is reported and left.
        every: seconds between two times that the state is written.
        images: how many images the work has put through networks; None = not known.
        counted: is told the seconds and images of earlier tries when their state is restored; None images = not known.
    """

    def __init__(
        self,
        folder: Path,
        definition: str,
        every: float,
        images: Callable[[], int | None],
        counted: Callable[[float, int | None], None],
    ) -> None:
        self.folder, self.definition, self.every = folder, definition, every
        self._images, self._counted = images, counted
        self._images_before = images()
        self._earlier, self._begun, self._saved = 0.0, time.perf_counter(), time.perf_counter()

    def restore(self) -> dict[str, Any] | None:
        """The state that was kept last: tensors on the CPU, numbers, texts, lists and dicts; None = a new beginning."""
        kept = load_checkpoint(self.folder, self.definition)
        if kept is None:
            return None
        self._earlier = float(kept["seconds"])
        self._counted(self._earlier, kept.get("images"))
        state: dict[str, Any] = kept["state"]
        return state

    def keep(self, state: Callable[[], dict[str, Any]], *, now: bool = False) -> bool:
        """Writes what ``state`` gives, where it is time to.

        Args:
            state: is called only when it is written; tensors, numbers, texts, lists and dicts of them.
            now: write whatever the time.

        Returns:
            Whether it was written.
        """
        if not now and time.perf_counter() - self._saved < self.every:
            return False
        seconds = self._earlier + time.perf_counter() - self._begun
        # With those of earlier tries, which were counted when their state was restored.
        spent = {"seconds": seconds, "images": counted_between(self._images_before, self._images())}
        save_checkpoint(self.folder, {"definition": self.definition, **spent, "state": state()})
        self._saved = time.perf_counter()
        return True
