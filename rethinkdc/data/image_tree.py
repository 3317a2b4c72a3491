"""Trees of image files: ``SPLIT/CLASS/**/FILE``.

They are scanned here and not by Hugging Face ``datasets``, which holds a string for every file, overlooks classes
without images and needs seconds to import. Class names and order (sorted) are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import torch
from PIL import Image

from rethinkdc.data.blobs import PathBlobs
from rethinkdc.data.labelled import TEST_NAMES, Labelled
from rethinkdc.errors import DataError

TRAIN_NAMES = ("train", "training")


def find_split_folders(root: Path) -> tuple[Path, Path] | None:
    """Finds the train and test folders of a tree; None when it is not laid out as one.

    Raises:
        DataError: the folder cannot be listed.
    """
    folders = {path.name: path for path in _list_subfolders(root)}
    train = next((folders[name] for name in TRAIN_NAMES if name in folders), None)
    test = next((folders[name] for name in TEST_NAMES if name in folders and _list_subfolders(folders[name])), None)
    return (train, test) if train and test and _list_subfolders(train) else None


def scan(split: Path) -> Labelled:
    """Lists the images of one split: classes are its folders, rows sorted by class and file name.

    Files whose ending is no image format's, and hidden ones, are passed over.

    Raises:
        DataError: a folder cannot be listed.
    """
    classes = _list_subfolders(split)
    blobs = PathBlobs((folder, list(_list_images(folder))) for folder in classes)
    counts = torch.tensor(blobs.counts, dtype=torch.int64)
    return Labelled(
        blobs=blobs,
        targets=torch.arange(len(classes)).repeat_interleave(counts),
        class_names=tuple(folder.name for folder in classes),
        label=f"the split {split}",
    )


def list_files(root: Path) -> Iterator[Path]:
    """Lists every file below ``root`` that is not hidden, sorted within each folder.

    Raises:
        DataError: a folder cannot be listed.
    """
    for folder, subfolders, names in os.walk(root, onerror=_refuse, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder, name)


def _list_images(folder: Path) -> Iterator[str]:
    endings = Image.registered_extensions()
    for path in list_files(folder):
        if path.suffix.lower() in endings:
            yield str(path.relative_to(folder))


def _list_subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise DataError(
        f"Cannot read the folder {error.filename}: {error.strerror}. Check that it exists and its permissions."
    )
