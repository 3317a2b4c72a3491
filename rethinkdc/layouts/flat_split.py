"""A split whose images lie in one folder, with their classes in a file beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch

from rethinkdc.data.blobs import PathBlobs
from rethinkdc.errors import DataError
from rethinkdc.layouts.image_tree import list_images, name_ending
from rethinkdc.layouts.label_lists import LabelFile, list_candidates, read_label_files, read_table
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.walking import Walk
from rethinkdc.storage import show_path


def read_flat(
    folder: Path, root: Path, class_names: Sequence[str], *, sniff: bool = True, apart: Sequence[Path] = ()
) -> Labelled | None:
    """Lists the images below one folder, with the classes that a file of labels gives them.

    Rows are sorted by class and file name, so that the split equals the tree of class folders that some sort it into.

    Args:
        folder: the split.
        root: the dataset's folder: files of labels lie in the split, in ``root``, or between.
        class_names: the classes of the training images.
        sniff: whether to look at the first bytes of every image.
        apart: other splits, whose images must not be shown here too.

    Returns:
        The labelled images; None when no file gives their classes.

    Raises:
        DataError: labels are missing, or files contradict each other; says which.
    """
    walk = Walk(folder, apart)
    names = sorted(list_images(folder, walk, sniff=sniff))
    if not names:
        return None
    found = read_label_files(_list_places(folder, root), [PurePosixPath(name).name for name in names], class_names)
    if not found:
        return None
    chosen = _agree(found, folder)
    if len(chosen.classes) < len(names):
        lost = next(name for name in names if PurePosixPath(name).name not in chosen.classes)
        raise DataError(
            f"{show_path(chosen.path)} gives classes to {len(chosen.classes)} of the {len(names)} images in "
            f"{show_path(folder)}; {show_path(lost)} has none. Restore the file, or remove the images without a class."
        )
    return _sort_by_class(folder, names, class_names, chosen, walk.passed_over)


def count_lines(folder: Path, root: Path) -> Iterator[tuple[Path, int]]:
    """Every file that is looked at for the labels of a flat split, with the number of its lines."""
    for path in list_candidates(_list_places(folder, root)):
        yield path, len(read_table(path))


def _list_places(folder: Path, root: Path) -> list[Path]:
    """Where a file of labels may lie: the split, the folders up to the dataset's, and its development kit."""
    above = [place for place in folder.parents if place == root or root in place.parents]
    kits = sorted(path for path in root.glob("*devkit*/data") if path.is_dir())
    return [folder, *above, *kits]


def _agree(found: Sequence[LabelFile], folder: Path) -> LabelFile:
    first = found[0]
    for other in found[1:]:
        differing = sum(first.classes.get(name) != known for name, known in other.classes.items())
        if differing:
            raise DataError(
                f"{show_path(first.path)} and {show_path(other.path)} give other classes to {differing} images of "
                f"{show_path(folder)}. Remove the one that is wrong."
            )
    return first


def _sort_by_class(
    folder: Path, names: Sequence[str], class_names: Sequence[str], labels: LabelFile, passed_over: Mapping[str, int]
) -> Labelled:
    by_class: dict[str, list[str]] = {name: [] for name in class_names}
    for name in names:
        by_class[labels.classes[PurePosixPath(name).name]].append(name)
    counts = torch.tensor([len(images) for images in by_class.values()], dtype=torch.int64)
    # The files that gave the labels were counted as no images.
    used = Counter(name_ending(path) for path in labels.used if path.parent == folder)
    return Labelled(
        blobs=PathBlobs((folder, images) for images in by_class.values()),
        targets=torch.arange(len(class_names)).repeat_interleave(counts),
        class_names=tuple(class_names),
        label=f"the split {show_path(folder)}",
        passed_over=Counter(passed_over) - used,
        notes=(labels.note,) if labels.note else (),
        split=folder.name,
    )
