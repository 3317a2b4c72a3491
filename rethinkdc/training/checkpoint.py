"""Checkpoints: state that survives a kill, written whole or not at all, and read without pickle."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from rethinkdc import interruption
from rethinkdc.errors import DamagedError
from rethinkdc.storage import fence, read_sealed, write_sealed

FILE = "checkpoint.pt"
EVERY = 60.0
"""Seconds between two times that a state is written, where that takes little."""
_SHARE = 100
"""A state is written at most every so many times the seconds that writing it takes: one percent of the time."""


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Puts ``state`` (tensors, numbers, texts, lists and dicts of them) in place of the checkpoint in ``folder``.

    Raises:
        LeaseLostError: another process has taken over the work; the checkpoint there may be its.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    fence()
    write_sealed(folder / FILE, buffer.getvalue())


def load_checkpoint(folder: Path, definition: str, needed: Collection[str]) -> dict[str, Any] | None:
    """The state saved in ``folder`` under the same ``definition``; None when there is none.

    A damaged checkpoint, or one of other work, is reported with a warning and counts as none.

    Args:
        folder: where it lies.
        definition: of the work.
        needed: names without which the state is none.
    """
    path = folder / FILE
    try:
        state = _parse(read_sealed(path), path, {"definition", *needed})
    except FileNotFoundError:
        return None
    except DamagedError as error:
        warnings.warn(f"{error} The work starts again from its beginning.", stacklevel=2)
        return None
    if state["definition"] != definition:
        warnings.warn(f"{path} belongs to other work. This work starts from its beginning.", stacklevel=2)
        return None
    return state


def _parse(payload: bytes, path: Path, needed: Collection[str]) -> dict[str, Any]:
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's readers raise their own, unrelated types
        raise DamagedError(f"{path} is damaged: it holds no state ({type(error).__name__}).") from error
    if not isinstance(state, dict) or not state.keys() >= set(needed):
        raise DamagedError(f"{path} is damaged: it holds no state of a work.")
    return state


class Clock:
    """Says when a state is to be written: every so many seconds, seldom where that takes long, and when asked to end.

    Args:
        every: seconds between two times; 0 = whenever it is asked.
    """

    def __init__(self, every: float) -> None:
        self.every, self._cost, self._saved = every, 0.0, time.perf_counter()

    def due(self) -> bool:
        """Whether it is time to."""
        since = time.perf_counter() - self._saved
        return not self.every or interruption.asked() or since >= max(self.every, _SHARE * self._cost)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, it is written."""
        begun = time.perf_counter()
        yield
        self._saved = time.perf_counter()
        self._cost = self._saved - begun


def counted_between(before: int | None, after: int | None) -> int | None:
    """What was counted between two looks at a number that may not be known."""
    return None if before is None or after is None else after - before


class Resumable:
    """State of a longer work: restored once at its beginning, kept now and then, and when the work is interrupted.

    ::

        kept = context.resumable("matching")
        state = kept.restore() or {"iteration": 0, "images": images}
        for iteration in range(state["iteration"], count):
            ...
            kept.keep(lambda: {"iteration": iteration + 1, "images": images.detach().cpu()}, done=iteration + 1)

    Args:
        folder: where the state lies.
        definition: of the work; the state of other work is reported and left.
        every: seconds between two times that the state is written; more where writing it takes long.
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
        self.folder, self.definition = folder, definition
        self._clock = Clock(every)
        self._images, self._counted = images, counted
        self._images_before = images()
        self._earlier, self._begun = 0.0, time.perf_counter()

    def restore(self) -> dict[str, Any] | None:
        """The state that was kept last: tensors on the CPU, numbers, texts, lists and dicts; None = a new beginning."""
        kept = load_checkpoint(self.folder, self.definition, ("seconds", "state"))
        if kept is None:
            return None
        self._earlier = float(kept["seconds"])
        self._counted(self._earlier, kept.get("images"))
        interruption.innermost().kept = tell_step(kept.get("done"))
        state: dict[str, Any] = kept["state"]
        return state

    def keep(self, state: Callable[[], dict[str, Any]], *, now: bool = False, done: int | None = None) -> bool:
        """Writes what ``state`` gives, where it is time to, and ends here when the work is interrupted.

        Args:
            state: is called only when it is written; tensors, numbers, texts, lists and dicts of them.
            now: write whatever the time.
            done: steps that are done, which an interruption tells.

        Returns:
            Whether it was written.

        Raises:
            Interrupted: the process was asked to end; the state is kept.
        """
        interruption.innermost().heeds = True
        if not (now or self._clock.due()):
            interruption.heed()
            return False
        with self._clock.writing():
            seconds = self._earlier + time.perf_counter() - self._begun
            # With those of earlier tries, which were counted when their state was restored.
            spent = {"seconds": seconds, "images": counted_between(self._images_before, self._images())}
            told = {} if done is None else {"done": done}
            save_checkpoint(self.folder, {"definition": self.definition, **spent, **told, "state": state()})
        interruption.innermost().kept = tell_step(done)
        interruption.heed()
        return True


def tell_step(done: int | None) -> str:
    """What is kept of a loop, in words; None = nobody knows how many steps it is."""
    return "a checkpoint" if done is None else f"the checkpoint of step {done:,}"
