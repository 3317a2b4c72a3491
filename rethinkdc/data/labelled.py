"""From two lists of labelled files to a dataset: classes mapped by name, none empty, backing chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.data.backing import Backing, choose_backing
from rethinkdc.data.blobs import Blobs
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError

TEST_NAMES = ("test", "val", "validation", "valid")
"""Names of the split that students are tested on, the preferred first."""

_SHOWN = 8


@dataclass(frozen=True)
class Labelled:
    """Encoded files with their classes, as found.

    Attributes:
        blobs: N encoded files.
        targets: int64 [N], indices into ``class_names``.
        class_names: the classes in this split's own order.
        label: names the split in errors.
    """

    blobs: Blobs
    targets: Tensor
    class_names: tuple[str, ...]
    label: str


def assemble_splits(
    train: Labelled,
    test: Labelled,
    *,
    known: KnownSplits | None = None,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
) -> Splits:
    """Makes a dataset of its two parts; the test part's classes take the train part's order, by name.

    Args:
        train: files to compress and train on.
        test: files to test on.
        known: fingerprints from the book; None = take them now, which reads every file.
        cache_folder: see :func:`~rethinkdc.data.backing.choose_backing`.
        backing: see :func:`~rethinkdc.data.backing.choose_backing`.

    Raises:
        DataError: the parts have different classes, or a class has no images.
    """
    test = _reorder_classes(train.class_names, test, train.label)
    for part in (train, test):
        _check_every_class_present(part)
    return Splits(
        train=choose_backing(_open(train, known.train if known else None), cache_folder, backing=backing),
        test=choose_backing(_open(test, known.test if known else None), cache_folder, backing=backing),
    )


def _open(part: Labelled, fingerprint: str | None) -> EncodedImages:
    return EncodedImages(part.blobs, part.targets, part.class_names, fingerprint)


def _reorder_classes(class_names: tuple[str, ...], part: Labelled, other: str) -> Labelled:
    if part.class_names == class_names:
        return part
    missing, extra = set(class_names) - set(part.class_names), set(part.class_names) - set(class_names)
    if missing or extra:
        raise DataError(
            f"{part.label} and {other} have different classes. Only in {other}: {_list_some(missing)}. "
            f"Only in {part.label}: {_list_some(extra)}. Both must name the same classes."
        )
    place = {name: index for index, name in enumerate(class_names)}
    order = torch.tensor([place[name] for name in part.class_names])
    return replace(part, targets=order[part.targets], class_names=class_names)


def _check_every_class_present(part: Labelled) -> None:
    counts = torch.bincount(part.targets, minlength=len(part.class_names))
    empty = [part.class_names[index] for index in (counts == 0).nonzero().flatten().tolist()]
    if empty:
        raise DataError(
            f"{len(empty)} of {len(part.class_names)} classes have no images in {part.label}: {_list_some(empty)}. "
            "Add their images, or remove the classes from every split."
        )


def _list_some(names: set[str] | list[str]) -> str:
    ordered = sorted(names)
    shown = ", ".join(repr(name) for name in ordered[:_SHOWN])
    return (shown or "none") + (f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else "")
