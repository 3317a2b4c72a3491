"""Making of one shard: whole or not at all, and its seal beside it until the dataset is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rethinkdc.layouts.arrow_shards import is_whole, pack
from rethinkdc.layouts.prepared import Loss, Recipe, Shard
from rethinkdc.preparation.coding import Coded, Source, code_image
from rethinkdc.storage import read_regular, write_atomic

SAMPLED = 50
"""The loss is measured of one in so many images."""


@dataclass(frozen=True)
class Task:
    """One shard to make.

    Attributes:
        folder: of the prepared dataset.
        file: of the shard, below it.
        first: row of its first image.
        sources: its images.
        wheres: what they are called in errors.
        targets: their class indices.
        recipe: how they are stored.
        columns: of the shard.
    """

    folder: Path
    file: str
    first: int
    sources: tuple[Source, ...]
    wheres: tuple[str, ...]
    targets: tuple[int, ...]
    recipe: Recipe
    columns: dict[str, Any]


def make_shard(task: Task, check: Callable[[], None] = lambda: None) -> Shard:
    """Makes a shard and seals it.

    Args:
        task: what to make.
        check: is called before each image; ends the making by an error.

    Raises:
        DataError: an image cannot be read.
        StorageError: the shard cannot be written.
    """
    coded = [_code(task, place, check) for place in range(len(task.sources))]
    names = [source.name if isinstance(source, Path) else None for source in task.sources]
    packed = pack([each.content for each in coded], names, task.targets, task.columns).to_pybytes()
    shard = Shard(
        file=task.file,
        rows=len(coded),
        size=sum(len(each.content) for each in coded),
        source_size=sum(each.source_size for each in coded),
        resized=sum(each.resized for each in coded),
        sha256=hashlib.sha256(packed).hexdigest(),
        loss=sum((_loss_of(each) for each in coded), Loss()),
    )
    path = task.folder / task.file
    write_atomic(path, packed)
    write_atomic(seal_of(path), shard.model_dump_json().encode())
    return shard


def seal_of(path: Path) -> Path:
    """Where it says of a shard that it is whole."""
    return path.with_suffix(".json")


def find_made(folder: Path, file: str, known: dict[str, Shard]) -> Shard | None:
    """A shard that was made before and is whole; None = it must be made.

    Args:
        folder: of the prepared dataset.
        file: of the shard, below it.
        known: what a finished dataset says of its shards.
    """
    try:
        sealed = Shard.model_validate_json(read_regular(seal_of(folder / file)))
    except (OSError, ValidationError):
        sealed = None
    shard = sealed or known.get(file)
    return shard if shard and shard.file == file and is_whole(folder, shard) else None


def _code(task: Task, place: int, check: Callable[[], None]) -> Coded:
    check()
    measure = (task.first + place) % SAMPLED == 0
    return code_image(task.sources[place], task.recipe, where=task.wheres[place], measure=measure)


def _loss_of(coded: Coded) -> Loss:
    error = coded.squared_error
    return Loss() if error is None else Loss(images=1, squared_error=error, worst=error)
