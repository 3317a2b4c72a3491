"""What a dataset is made of, as the shards of its prepared form take it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.splits import Splits
from rethinkdc.errors import UnsupportedError
from rethinkdc.layouts.arrow_shards import features
from rethinkdc.layouts.prepared import Recipe
from rethinkdc.preparation.coding import Source
from rethinkdc.preparation.shards import Task
from rethinkdc.storage import check_regular
from rethinkdc.types import Images

SHARD_BYTES = 1 << 26
"""Bytes of the source's images that one shard is made of, about."""
_MOST_ROWS = 1 << 13
_LOOKED_AT = 64
_PLAIN = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


@dataclass(frozen=True)
class SourcePart:
    """A split of the source.

    Attributes:
        name: of its folder and in errors.
        images: its images.
        files: of its shards, in order.
        rows: images in each of them, but the last.
    """

    name: str
    images: EncodedImages | DecodedImages
    files: tuple[str, ...]
    rows: int

    def holds_pixels(self, recipe: Recipe) -> bool:
        """Whether the images have no other bytes than their pixels, before and after."""
        small = isinstance(self.images, DecodedImages) and (
            recipe.short_side is None or min(self.images.pixels.shape[2:]) <= recipe.short_side
        )
        return isinstance(self.images, DecodedImages) and small

    def tasks(self, folder: Path, recipe: Recipe, made: Collection[str]) -> Iterator[Task]:
        """The shards that are not ``made``."""
        columns = features(self.images.class_names)
        for number, file in enumerate(self.files):
            if file in made:
                continue
            rows = range(number * self.rows, min((number + 1) * self.rows, len(self.images)))
            yield Task(
                folder=folder,
                file=file,
                first=rows.start,
                sources=tuple(_source(self.images, row) for row in rows),
                wheres=tuple(_where(self.images, row, self.name) for row in rows),
                targets=tuple(self.images.targets[rows.start : rows.stop].tolist()),
                recipe=recipe,
                columns=columns,
            )


def parts_of(splits: Splits, dataset: str) -> tuple[SourcePart, SourcePart]:
    """Both splits, divided into shards: by the images alone, whatever the machine.

    Raises:
        UnsupportedError: the dataset holds images in a way of its own.
    """
    names = splits.names if all(map(_PLAIN.fullmatch, splits.names)) else ("train", "test")
    if names[0].lower() == names[1].lower():
        names = ("train", "test")
    return _part(names[0], splits.train, dataset), _part(names[1], splits.test, dataset)


def _part(name: str, images: Images, dataset: str) -> SourcePart:
    if not isinstance(images, EncodedImages | DecodedImages):
        raise UnsupportedError(
            f"The dataset {dataset} holds its images as {type(images).__name__}, neither as files nor as pixels: it "
            "cannot be prepared. Use it as it is."
        )
    rows = max(1, min(_MOST_ROWS, SHARD_BYTES // max(1, _mean_size(images))))
    count = -(-len(images) // rows)
    files = tuple(f"{name}/data-{number:05d}-of-{count:05d}.arrow" for number in range(count))
    return SourcePart(name, images, files, rows)


def _mean_size(images: EncodedImages | DecodedImages) -> int:
    if isinstance(images, DecodedImages):
        return images.pixels[0].numel()
    looked_at = range(0, len(images), max(1, len(images) // _LOOKED_AT))
    return sum(_size(images, row) for row in looked_at) // max(1, len(looked_at))


def _size(images: EncodedImages, row: int) -> int:
    source = images.blobs.read(row)
    try:
        return len(source) if isinstance(source, bytes) else check_regular(source)
    except OSError:  # reading it names it
        return 0


def _source(images: EncodedImages | DecodedImages, row: int) -> Source:
    if isinstance(images, EncodedImages):
        return images.blobs.read(row)
    return images.pixels[row].permute(1, 2, 0).numpy()


def _where(images: EncodedImages | DecodedImages, row: int, name: str) -> str:
    return images.blobs.where(row) if isinstance(images, EncodedImages) else f"row {row} of the {name} split"
