"""Chunks of a pass over many rows: what each gives is kept by time, is not made twice, and is shared by ranks.

Where chunks begin and end follows from numbers alone, so that a result does not depend on the clock, on kills or on the
number of ranks. What the clock decides is how many chunks share a file; a pass that is over before it is due writes
none.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from rethinkdc import interruption, ranks
from rethinkdc.context.parts import count_part
from rethinkdc.context.work import Work
from rethinkdc.interruption import Going
from rethinkdc.storage import keep_part, kept_part, load_tensors
from rethinkdc.training.checkpoint import EVERY, Clock, counted_between
from rethinkdc.types import ChunksMaker, Progress

HELD_BYTES = 256 << 20
"""Results that are held in memory until it is time to write them; more are written at once."""


def make_chunks(
    name: str,
    count: int,
    step: int,
    make: ChunksMaker,
    *,
    folder: Path,
    work: Work,
    home: Path,
    progress: Progress,
    unit: str = "rows",
    every: float = EVERY,
) -> list[dict[str, Tensor]]:
    """Makes the chunks of a pass; see :meth:`rethinkdc.contracts.Context.chunks`.

    Args:
        name: what the progress calls the pass.
        count: N, units to pass over.
        step: units in a chunk.
        make: gives the results of chunks, one after another, each from its own units alone.
        folder: of this pass.
        work: that needs them.
        home: the cache folder that all ranks share.
        progress: where finished units are reported.
        unit: what is passed over, in the plural.
        every: seconds between two times that results are written.

    Raises:
        RankError: another rank ended before its share was done; what is done is kept.
    """
    spans = [range(first, min(first + step, count)) for first in range(0, count, step)]
    mine = ranks.own_parts(len(spans)) if ranks.together() else range(len(spans))
    with interruption.going() as going, progress.task(name, count) as done:
        going.heeds = True
        kept = _Kept(spans, folder, work, Clock(every), going, f"of {count:,} {unit}", done)
        kept.find()
        with ranks.apart():
            kept.make([index for index in mine if index not in kept.results], make)
        if ranks.together():
            # Others wait for these, whether or not theirs are there already, or they have none.
            kept.write()
            _wait(kept, work, home)
            # The files may go as soon as the first rank begins another pass.
            ranks.meet("the end of a pass")
    return [dict(kept.results[index]) for index in range(len(spans))]


class _Kept:
    """What is there of the chunks of a pass: some in files, the newest in memory until it is time to write them."""

    def __init__(
        self,
        spans: Sequence[range],
        folder: Path,
        work: Work,
        clock: Clock,
        going: Going,
        of_all: str,
        done: Callable[[int], None],
    ) -> None:
        self.results: dict[int, Mapping[str, Tensor]] = {}
        self.spans = spans
        self._folder, self._work, self._clock = folder, work, clock
        self._going, self._of_all, self._done = going, of_all, done
        self._files: set[Path] = set()
        self._held: dict[int, dict[str, Tensor]] = {}
        self._held_bytes = 0
        self._begin()

    def find(self) -> None:
        """Reads what others or earlier tries wrote since it was last asked; what they spent counts as ours."""
        for path in sorted(self._folder.glob("*.safetensors")):
            if path in self._files or (part := kept_part(path)) is None:
                continue
            count_part(part, self._work)
            for index in self._read(path):
                self._done(len(self.spans[index]))

    def make(self, missing: Sequence[int], make: ChunksMaker) -> None:
        """Makes chunks, and writes them where it is time to; when it ends otherwise, what is done is written too."""
        if not missing:
            return
        made = iter(make([self.spans[index] for index in missing]))
        self._begin()
        try:
            for index in missing:
                self._make(index, made)
                self._done(len(self.spans[index]))
        except BaseException as end:
            with suppress(Exception):
                self.write()
            if isinstance(end, KeyboardInterrupt):
                interruption.tell_anew()
            raise
        finally:
            _close(made)

    def write(self) -> None:
        """Writes what is held in memory to one file, from which it is read from then on."""
        if not self._held:
            return
        path = self._folder / f"{min(self._held):07d}.safetensors"
        tensors = {f"{index}|{name}": tensor for index, result in self._held.items() for name, tensor in result.items()}
        spent, before, images = time.perf_counter() - self._begun, self._beside, self._images
        with self._clock.writing():
            keep_part(
                path,
                lambda: save(tensors),
                lambda: counted_between(images, self._work.images),
                lambda: spent + self._work.books.beside - before,
            )
        self._held.clear()
        self._held_bytes = 0
        self._read(path)
        self._begin()

    def _make(self, index: int, made: Iterator[Mapping[str, Tensor]]) -> None:
        """Makes a chunk; the states of a longer making go when it is written."""
        states = self._folder / f"state-{index:07d}"
        with self._work.making(states):
            result = next(made, None)
        if result is None:
            raise ValueError(f"Results of fewer chunks than were asked for: chunk {index} is missing.")
        # Copies: results may be views of one tensor, or of one that is filled again.
        self._held[index] = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in result.items()
        }
        self.results[index] = self._held[index]
        self._held_bytes += sum(tensor.nbytes for tensor in self._held[index].values())
        long = states.exists()
        if long or self._clock.due() or self._held_bytes >= HELD_BYTES:
            self.write()
            if long:
                shutil.rmtree(states, ignore_errors=True)
            interruption.heed()

    def _read(self, path: Path) -> list[int]:
        """Maps the chunks of a file, whose numbers are returned."""
        found: dict[int, dict[str, Tensor]] = {}
        for key, tensor in load_tensors(path).items():
            index, _, name = key.partition("|")
            found.setdefault(int(index), {})[name] = tensor
        self._files.add(path)
        self.results.update(found)
        there = sum(len(self.spans[index]) for index in self.results.keys() - self._held.keys())
        self._going.kept = f"{there:,} {self._of_all}"
        return list(found)

    def _begin(self) -> None:
        """From here on time and images count for what is written next."""
        self._begun = time.perf_counter()
        self._beside, self._images = self._work.books.beside, self._work.images


def _wait(kept: _Kept, work: Work, home: Path) -> None:
    """Waits for the chunks of other ranks; what they spent counts as ours, the waiting does not."""
    begun = time.perf_counter()

    def complete() -> bool | None:
        kept.find()
        return len(kept.results) == len(kept.spans) or None

    def owners() -> set[int]:
        return {index % ranks.world() for index in range(len(kept.spans)) if index not in kept.results}

    ranks.wait_for(complete, home, owners, "a chunk of its pass")
    work.books.earlier -= time.perf_counter() - begun


def _close(made: Any) -> None:
    """Ends a generator that was left early: its threads and hooks go."""
    if hasattr(made, "close"):
        made.close()
