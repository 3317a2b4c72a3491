"""Datasets that are some classes of another one: of its files on a hub, or of a copy on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field

from rethinkdc.data.backing import Backing
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.errors import DataError
from rethinkdc.layouts.file_datasets import HubFileDataset, sign_folder
from rethinkdc.layouts.held_out import SomeBlobs
from rethinkdc.layouts.labelled import Labelled, plain_name


class ClassSubset(HubFileDataset):
    """Base of datasets that are some classes of one of the hub, train and test images alike.

    A plugin states ``classes``, by name the number of each in the source's own order, and ``of``, how many the source
    has: some copies name their classes by these names, others are numbered. Either gives the same classes.
    """

    classes: ClassVar[Mapping[str, int]] = {}
    of: ClassVar[int] = 0
    schema: ClassVar[Schema | None] = None

    path: str | None = Field(
        default=None, description="folder of a copy of the whole dataset; none = the hub's", min_length=1
    )

    def signature(self) -> str | None:
        if self.path is None:
            return super().signature()
        folder = Path(self.path).expanduser()
        return sign_folder(folder) if folder.is_dir() else None

    def _read(self, cache_folder: Path | None, backing: Backing, known: KnownSplits | None) -> Splits:
        from rethinkdc.layouts.hub import load_hub, load_path

        keep = partial(keep_classes, wanted=self.classes, of=self.of)
        if self.path is not None:
            return load_path(Path(self.path), cache_folder=cache_folder, backing=backing, known=known, keep=keep)
        return load_hub(self.repository, cache_folder=cache_folder, backing=backing, known=known, keep=keep)


def keep_classes(part: Labelled, wanted: Mapping[str, int], of: int) -> Labelled:
    """A split with some of its classes alone, in the order of ``wanted`` and under its names; rows keep their order.

    Args:
        part: of the whole dataset.
        wanted: by name the number of each class among ``of``.
        of: classes of the whole dataset.

    Raises:
        DataError: the split neither names these classes nor has ``of`` of them.
    """
    places = {plain_name(name): place for place, name in enumerate(part.class_names)}
    if all(name in places for name in wanted):
        chosen = [places[name] for name in wanted]
    elif len(part.class_names) == of:
        chosen = list(wanted.values())
    else:
        lacking = [name for name in wanted if name not in places]
        raise DataError(
            f"{part.label} has {len(part.class_names)} classes, without {', '.join(lacking[:4])}"
            f"{f' and {len(lacking) - 4} more' * (len(lacking) > 4)}: name a copy of the whole dataset, of {of} "
            "classes, or one whose classes have these names."
        )
    new = torch.full((len(part.class_names),), -1)
    new[torch.tensor(chosen)] = torch.arange(len(chosen))
    targets = new[part.targets]
    rows = (targets >= 0).nonzero().flatten()
    return replace(
        part, blobs=SomeBlobs(part.blobs, rows), targets=targets[rows], class_names=tuple(wanted), numbered=False
    )
