"""Parts of a set: each whole on disk or not at all, made once, shared by ranks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from rethinkdc import interruption, ranks
from rethinkdc.context.work import Work
from rethinkdc.storage import Part, fence, keep_part, kept_part, load_tensors
from rethinkdc.training.checkpoint import counted_between
from rethinkdc.types import PartsMaker, Progress


def part_paths(count: int, folder: Path, work: Work) -> list[Path]:
    """Where the next parts of a piece of work lie in its folder."""
    # A method that makes two kinds of parts must not find the first ones in place of the second.
    work.part_calls += 1
    place = folder / ("parts" if work.part_calls == 1 else f"parts-{work.part_calls}")
    return [place / f"part-{index:05d}.safetensors" for index in range(count)]


def make_parts(
    paths: Sequence[Path], make: PartsMaker, *, work: Work, home: Path, progress: Progress
) -> list[dict[str, Tensor]]:
    """Makes the parts of a set; see :meth:`rethinkdc.contracts.Context.parts`.

    Args:
        paths: where each lies.
        make: makes part ``index`` as named tensors, from the index alone.
        work: that needs them.
        home: the cache folder that all ranks share.
        progress: where finished parts are reported.

    Raises:
        RankError: another rank ended before its share was done; what is done is kept.
    """
    count = len(paths)
    mine = ranks.own_parts(count) if ranks.together() else range(count)
    with interruption.going() as going, progress.task("parts", count) as done:
        with ranks.apart():
            for made, index in enumerate(mine):
                going.where = f"part {index + 1} of {count}" if count > 1 else ""
                going.kept = f"{made} {'part' if made == 1 else 'parts'}" if made else ""
                _make_part(index, make, paths[index], work)
                done(1)
                interruption.heed()
        if len(mine) < count:
            _wait_for_parts(paths, mine, work, home, done)
    return [load_tensors(path) for path in paths]


def _make_part(index: int, make: PartsMaker, path: Path, work: Work) -> None:
    """Makes a part, unless it is there; the states of a longer making go when it is whole."""
    states = path.with_suffix("")
    images, before = work.images, work.books.beside

    def made() -> bytes:
        payload = save(_contiguous(make(index)))
        fence()
        return payload

    with interruption.going(), work.making(states):
        earlier = keep_part(
            path,
            made,
            lambda: counted_between(images, work.images),
            lambda: work.books.beside - before,
        )
    shutil.rmtree(states, ignore_errors=True)
    count_part(earlier, work)


def _wait_for_parts(paths: Sequence[Path], mine: range, work: Work, home: Path, done: Callable[[int], None]) -> None:
    """Waits for the parts of other ranks; what they spent counts as ours, the waiting does not."""
    pending = set(range(len(paths))) - set(mine)
    begun = time.perf_counter()

    def complete() -> bool | None:
        for index in sorted(pending):
            made = kept_part(paths[index])
            if made is not None:
                pending.discard(index)
                count_part(made, work)
                done(1)
        return None if pending else True

    def owners() -> set[int]:
        return {index % ranks.world() for index in pending}

    ranks.wait_for(complete, home, owners, "a part of the set")
    work.books.earlier -= time.perf_counter() - begun


def count_part(made: Part | None, work: Work) -> None:
    """What an earlier try or another rank spent on a part counts as ours."""
    if made is not None:
        work.books.earlier += made.seconds
        work.count_images(made.images)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}
