"""Artefacts: what is costly is made once, whole or not at all, with the books of its making beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rethinkdc import interruption, ranks
from rethinkdc.context.books import read_books
from rethinkdc.context.cache import Cache
from rethinkdc.context.remaking import Remaking
from rethinkdc.context.work import Purpose, Work
from rethinkdc.errors import IncompleteError
from rethinkdc.storage import digest
from rethinkdc.training.memory import PeakMeter

Build = Callable[[Work, Path], float | None]
"""Fills a folder within a piece of work; may return its seconds over all tries."""


def make_artefact(
    cache: Cache,
    outer: Work,
    kind: str,
    key: Any,
    stage: str,
    build: Build,
    *,
    files: Sequence[str],
    purpose: Purpose | None,
    remaking: Remaking | None = None,
) -> Path:
    """Finds or makes an artefact; its books, with those of the artefacts that it used, become part of the outer work's.

    Args:
        cache: where it lies.
        outer: the work that needs it.
        kind: what it is, as a folder name of the cache.
        key: JSON data that holds all that it depends on.
        stage: what its seconds are counted as.
        build: is called with a piece of work of its own, and the folder to fill.
        files: names of the files that it will hold.
        purpose: what teachers are asked for while it is made.
        remaking: of a run that makes it again, although it is there.

    Returns:
        The folder, whole and checked against its checksums.

    Raises:
        IncompleteError: a declared file is missing when ``build`` ends; nothing is kept.
    """
    name = digest(key)

    def make(folder: Path, out: Path) -> None:
        meter = PeakMeter()
        work = Work(folder=folder, purpose=purpose, meter=meter, counter=outer.counter)
        begun = time.perf_counter()
        with interruption.going():
            stated = build(work, out) or 0.0
        if not ranks.writes():
            return
        _require_files(out, files, kind)
        books = work.books
        # What nested artefacts took is theirs, whether they were made just now or long ago.
        books.seconds[f"{stage}:{name}"] = max(stated, time.perf_counter() - begun - books.nested + books.earlier)
        books.memory[f"{stage}:{name}"] = meter.read()
        if (images := work.images) is not None:
            books.images[f"{stage}:{name}"] = images
        books.write(out)

    begun, counted = time.perf_counter(), outer.counter.total
    with outer.paused():
        anew = remaking is not None and remaking.wants(kind, name)
        folder = cache.make(kind, name, make, anew=anew)
        if remaking and anew:
            remaking.keep(kind, name)
    outer.books.add(read_books(folder))
    outer.books.nested += time.perf_counter() - begun
    outer.books.nested_images += outer.counter.total - counted
    return folder


def _require_files(out: Path, files: Sequence[str], kind: str) -> None:
    missing = [name for name in files if not (out / name).is_file()]
    if missing:
        raise IncompleteError(
            f"An artefact of {kind} lacks {', '.join(missing)}, which its maker declared; {len(files) - len(missing)} "
            f"of {len(files)} files are there. Nothing was kept: run again, and look at what the maker does when it "
            "goes on after a kill."
        )
