"""Trees of image files: ``SPLIT/CLASS/**/FILE``.

They are scanned here and not by Hugging Face ``datasets``, which holds a string for every file, overlooks classes
without images and needs seconds to import. Class names and order (sorted) are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from rethinkdc.data.blobs import PathBlobs
from rethinkdc.data.image_files import image_endings
from rethinkdc.errors import DataError
from rethinkdc.files.first_bytes import name_foreign, read_start
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.walking import LINK_BACK, Walk, is_hidden, is_within, list_subfolders
from rethinkdc.storage import show_path

TRAIN_NAMES = ("train", "training")

_OF_TOOLS = frozenset({".ipynb_checkpoints", ".git", ".cache", ".Trashes", ".Spotlight-V100", ".fseventsd"})
"""Hidden folders that tools and systems make: never classes."""

_BOXES = "_boxes.txt"
"""Bounding boxes beside the images of a class, as Tiny ImageNet has them: no part of a classification dataset."""


def scan(split: Path, *, sniff: bool = True, apart: Sequence[Path] = ()) -> Labelled:
    """Lists the images of one split: classes are its folders, rows sorted by class and file name.

    Hidden files are passed over; so are, and counted, files whose ending is no image format's, files that begin as
    another format does, files beside the classes, and links to what the split shows already.

    Args:
        split: the folder.
        sniff: whether to look at the first bytes of every file; needless where it was done before.
        apart: other splits, whose images must not be shown here too.

    Raises:
        DataError: a folder cannot be listed, or the name of a class is not UTF-8; or two classes are one folder, or a
            link leads nowhere or into another split.
    """
    walk = Walk(split, apart)
    classes = _list_classes(split, walk)
    _count_beside(split, walk)
    blobs = PathBlobs((folder, list(list_images(folder, walk, sniff=sniff))) for folder in classes)
    counts = torch.tensor(blobs.counts, dtype=torch.int64)
    return Labelled(
        blobs=blobs,
        targets=torch.arange(len(classes)).repeat_interleave(counts),
        class_names=tuple(folder.name for folder in classes),
        label=f"the split {show_path(split)}",
        passed_over=walk.passed_over,
        split=split.name,
    )


def list_images(folder: Path, walk: Walk, *, sniff: bool = True) -> Iterator[str]:
    """Paths relative to ``folder`` of the images below it; what else lies there is counted by the walk.

    Raises:
        DataError: a folder cannot be listed.
    """
    endings, root = tuple(image_endings()), os.fspath(folder)
    for name in walk.files(folder):
        if not name.lower().endswith(endings):
            if not name.endswith(_BOXES):
                walk.passed_over[name_ending(name)] += 1
        elif sniff and (foreign := name_foreign(read_start(f"{root}{os.sep}{name}"))):
            walk.passed_over[foreign] += 1
        else:
            yield name


def name_ending(name: str | Path) -> str:
    """What a file is called that is passed over because of its ending."""
    ending = Path(name).suffix.lower()
    return f"{show_path(ending)} file" if ending else "file without an ending"


def _count_beside(split: Path, walk: Walk) -> None:
    """Counts what lies in a split and in none of its classes."""
    endings = tuple(image_endings())
    for path in sorted(split.iterdir()):
        if path.is_dir():
            if path.name.startswith(".") and path.name not in _OF_TOOLS:
                walk.passed_over[f"folder with a dot before its name ({show_path(path.name)})"] += 1
        elif not is_hidden(path.name):
            if path.is_symlink() and not path.exists():
                raise DataError(
                    f"{show_path(path)} is a link to {show_path(path.readlink())}, where nothing is. Mount or restore "
                    "what it leads to, or remove it."
                )
            of_image = path.name.lower().endswith(endings)
            walk.passed_over["image in no class folder" if of_image else name_ending(path)] += 1


def _list_classes(split: Path, walk: Walk) -> list[Path]:
    """The class folders of a split, entered by the walk so that no link leads into them again."""
    folders = []
    for folder in list_subfolders(split):
        if folder.is_symlink() and is_within(os.path.realpath(split), os.path.realpath(folder)):
            walk.passed_over[LINK_BACK] += 1
        else:
            folders.append(folder)
    real = {folder: os.path.realpath(folder) for folder in folders}
    for link in (folder for folder in folders if folder.is_symlink()):
        other = next((each for each in folders if each != link and is_within(real[link], real[each])), None)
        if other:
            raise DataError(
                f"The class folder {show_path(link)} is a link into the class folder {show_path(other)}: the same "
                "images would be of two classes. Remove one of the two."
            )
    for folder in folders:
        _check_name(folder)
        walk.enter(folder)
    return folders


def _check_name(folder: Path) -> None:
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"The class folder {show_path(folder)} has a name that is not UTF-8 ({os.fsencode(folder.name)!r}). Rename "
            "it, for example with `convmv -f latin1 -t utf8 --notest`."
        ) from None
