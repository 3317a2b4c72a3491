"""How image trees are laid out: the folders of their splits, with class folders or flat beside a file of labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rethinkdc.data.flat_split import read_flat
from rethinkdc.data.image_tree import TRAIN_NAMES, scan
from rethinkdc.data.labelled import TEST_NAMES, Labelled, plain_name, tell_unlabelled
from rethinkdc.data.walking import list_subfolders, show_path
from rethinkdc.errors import DataError

_INNER = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
"""Where the splits lie below a folder: in it, or as ImageNet's archives unpack."""


def read_tree(root: Path, *, sniff: bool = True) -> tuple[Labelled, Labelled] | None:
    """Lists the train and test images of a tree; None when the folder is not laid out as one.

    A test part without labels gives way to the next one: some datasets publish such.

    Args:
        root: the folder.
        sniff: whether to look at the first bytes of every file.

    Raises:
        DataError: a folder cannot be listed, or the labels of a flat split do not fit its images.
    """
    for inner in _INNER:
        home = root / inner
        folders = {path.name: path for path in list_subfolders(home)} if home.is_dir() else {}
        train = next((folders[name] for name in TRAIN_NAMES if name in folders), None)
        tests = [folders[name] for name in TEST_NAMES if name in folders]
        if train and tests and list_subfolders(train):
            return _read_splits(root, train, tests, sniff=sniff)
    return None


def _read_splits(root: Path, train: Path, tests: list[Path], *, sniff: bool) -> tuple[Labelled, Labelled] | None:
    trained = scan(train, sniff=sniff)
    if not len(trained.blobs) and ".parquet file" in trained.passed_over:
        return None
    known = set(map(plain_name, trained.class_names))
    unlabelled: list[Path] = []
    for folder in tests:
        if any(plain_name(path.name) in known for path in list_subfolders(folder)):
            test: Labelled | None = scan(folder, sniff=sniff)
        else:
            test = read_flat(folder, root, trained.class_names, sniff=sniff)
        if test is None:
            unlabelled.append(folder)
            continue
        notes = tell_unlabelled(folder.name, [path.name for path in unlabelled])
        return trained, replace(test, notes=(*test.notes, *notes))
    # None has labels that are known: where one has folders, they are other classes than those of training.
    other = next((folder for folder in unlabelled if list_subfolders(folder)), None)
    if other and not _is_flat(other):
        return trained, scan(other, sniff=sniff)
    raise DataError(
        f"The test images of {show_path(root)} have no labels: {' and '.join(path.name for path in unlabelled)} has no "
        "folder named as a class of training, and no file beside it names its images and their classes. Known are "
        "val_annotations.txt, LOC_val_solution.csv, any table of file names and classes, and "
        "ILSVRC2012_validation_ground_truth.txt with the kit's meta.mat or a file of its classes in order."
    )


def _is_flat(folder: Path) -> bool:
    """Whether a split keeps its images in one folder that is no class."""
    return [path.name for path in list_subfolders(folder)] in ([], ["images"])
