"""From two lists of labelled files to a dataset: classes mapped by name, none empty, backing chosen."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from rethinkdc.data.backing import Backing, choose_backing
from rethinkdc.data.blobs import Blobs
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError
from rethinkdc.notes import Facts

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
        passed_over: what was left out, and how many files of each kind.
        notes: what was assumed, a sentence each.
        numbered: whether the classes are bare indices that nobody named: their names are these numbers.
        split: what the source calls it; empty = nothing.
    """

    blobs: Blobs
    targets: Tensor
    class_names: tuple[str, ...]
    label: str
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    numbered: bool = False
    split: str = ""


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
    for part in (train, test):
        _check_names_differ(part)
    test = _reorder_classes(train.class_names, test, train.label)
    for part in (train, test):
        _check_every_class_present(part)
    return Splits(
        train=choose_backing(_open(train, known.train if known else None), cache_folder, backing=backing),
        test=choose_backing(_open(test, known.test if known else None), cache_folder, backing=backing),
        facts=Facts.of([train.passed_over, test.passed_over], [*train.notes, *test.notes]),
        names=(train.split or "train", test.split or "test"),
    )


def leave_out_empty(part: Labelled, known: Collection[str]) -> Labelled:
    """The split without folders that hold no image and are no known class, such as those that sorting leaves behind.

    Args:
        part: a split by folders.
        known: plain names of the classes.
    """
    counts = torch.bincount(part.targets, minlength=len(part.class_names)).tolist()
    kept = [place for place, name in enumerate(part.class_names) if counts[place] or plain_name(name) in known]
    if len(kept) == len(part.class_names):
        return part
    places = torch.full((len(part.class_names),), -1)
    places[torch.tensor(kept)] = torch.arange(len(kept))
    left = {"folder without images": len(part.class_names) - len(kept)}
    return replace(
        part,
        targets=places[part.targets],
        class_names=tuple(part.class_names[place] for place in kept),
        passed_over=Counter(part.passed_over) + Counter(left),
    )


def tell_unlabelled(test: str, unlabelled: Sequence[str]) -> tuple[str, ...]:
    """The note that another split is tested on than the preferred one, which has no labels; empty where it is."""
    if not unlabelled:
        return ()
    return (f"Tested on the split {test}: {' and '.join(unlabelled)} has no labels.",)


def _open(part: Labelled, fingerprint: str | None) -> EncodedImages:
    return EncodedImages(part.blobs, part.targets, part.class_names, fingerprint)


def plain_name(name: str) -> str:
    """The one spelling of names that look the same: "e" with an accent is one character or two."""
    return unicodedata.normalize("NFC", name)


def _reorder_classes(class_names: tuple[str, ...], part: Labelled, other: str) -> Labelled:
    if part.class_names == class_names:
        return part
    place = {plain_name(name): index for index, name in enumerate(class_names)}
    found = {plain_name(name): name for name in part.class_names}
    missing, extra = place.keys() - found.keys(), found.keys() - place.keys()
    if missing or extra:
        raise DataError(
            f"{part.label} and {other} have different classes. Only in {other}: {_list_some(missing)}. "
            f"Only in {part.label}: {_list_some(extra)}. Both must name the same classes."
        )
    order = torch.tensor([place[plain_name(name)] for name in part.class_names])
    respelled = sorted(set(part.class_names) - set(class_names))
    # Without the folders' paths: a record must not carry those of somebody's machine.
    note = f"The test part spells the classes {_list_some(respelled)} in another Unicode form than the training part."
    return replace(
        part,
        targets=order[part.targets],
        class_names=class_names,
        notes=(*part.notes, *[note] * bool(respelled)),
    )


def _check_names_differ(part: Labelled) -> None:
    counts = Counter(map(plain_name, part.class_names))
    alike = [name for name in part.class_names if counts[plain_name(name)] > 1]
    if alike:
        raise DataError(
            f"Class names of {part.label} differ only in their Unicode form: {', '.join(map(ascii, alike))}. They look "
            "the same; give them one spelling, so that they are one class, or names that differ."
        )


def _check_every_class_present(part: Labelled) -> None:
    counts = torch.bincount(part.targets, minlength=len(part.class_names))
    empty = [part.class_names[index] for index in (counts == 0).nonzero().flatten().tolist()]
    if empty:
        left = Facts.of([part.passed_over]).tell()
        raise DataError(
            f"{len(empty)} of {len(part.class_names)} classes have no images in {part.label}: {_list_some(empty)}. "
            f"{left}{' ' * bool(left)}Add their images, or remove the classes from every split."
        )
    if len(part.class_names) == 1:
        raise DataError(
            f"All images of {part.label} are of one class, {part.class_names[0]!r}: there is nothing to tell apart. "
            "Classes are folders in each split, or a column of labels."
        )


def _list_some(names: Collection[str]) -> str:
    ordered = sorted(names)
    shown = ", ".join(repr(name) for name in ordered[:_SHOWN])
    return (shown or "none") + (f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else "")
