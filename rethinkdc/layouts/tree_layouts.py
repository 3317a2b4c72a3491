"""How image trees are laid out: the folders of their splits, with class folders or flat beside a file of labels."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from rethinkdc.data.image_files import image_endings
from rethinkdc.errors import DataError
from rethinkdc.layouts.flat_split import count_lines, read_flat
from rethinkdc.layouts.held_out import hold_out
from rethinkdc.layouts.image_tree import TRAIN_NAMES, scan
from rethinkdc.layouts.labelled import TEST_NAMES, Labelled, leave_out_empty, plain_name, tell_unlabelled
from rethinkdc.layouts.metadata_split import find_metadata, read_metadata
from rethinkdc.layouts.walking import list_subfolders
from rethinkdc.storage import show_path

_INNER = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
"""Where the splits lie below a folder: in it, or as ImageNet's archives unpack."""
_SPLIT = re.compile(r"(^|[^a-z])(train|training|test|testing|val|valid|validation|eval|evaluation)([^a-z]|$)")
"""A folder with such a word in its name is no class."""
_SHOWN = 6


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
        folders = _list_by_name(home) if home.is_dir() else {}
        train = next((folders[name] for name in TRAIN_NAMES if name in folders), None)
        tests = [folders[name] for name in TEST_NAMES if name in folders]
        if train and find_metadata(train, home):
            return _read_described(home, train, tests, sniff=sniff)
        if train and tests and list_subfolders(train):
            return _read_splits(root, train, tests, sniff=sniff)
        if train and not tests and list_subfolders(train):
            return _read_train_alone(train, [folder for folder in folders.values() if folder != train], sniff=sniff)
    if (file := find_metadata(root, root)) and (whole := read_metadata(file, root, sniff=sniff)):
        return hold_out(whole)
    return _read_undivided(root, sniff=sniff)


def _read_described(root: Path, train: Path, tests: list[Path], *, sniff: bool) -> tuple[Labelled, Labelled]:
    """Reads splits that have their labels in a file of metadata."""
    unlabelled: list[str] = []
    parts = {}
    for folder in (train, *tests):
        file, apart = find_metadata(folder, root), tests if folder == train else [train]
        part = read_metadata(file, folder, sniff=sniff, apart=apart) if file else None
        if part is None and folder == train:
            raise DataError(f"{show_path(train)} has no labels: {file and file.name} has no column of classes.")
        if part is None:
            unlabelled.append(folder.name)
            continue
        parts[folder.name] = part
        if len(parts) > 1:
            notes = tell_unlabelled(folder.name, unlabelled)
            return parts[train.name], replace(part, notes=(*part.notes, *notes))
    if unlabelled:
        raise DataError(
            f"The test images of {show_path(root)} have no labels: {' and '.join(unlabelled)} has no file of metadata "
            f"with a column of classes. Without one, move it away: then a fifth of {train.name} is held out for "
            "testing."
        )
    return hold_out(parts[train.name])


def _read_train_alone(train: Path, others: list[Path], *, sniff: bool) -> tuple[Labelled, Labelled] | None:
    whole = scan(train, sniff=sniff)
    known = set(map(plain_name, whole.class_names))
    if alike := [
        folder for folder in others if any(plain_name(path.name) in known for path in list_subfolders(folder))
    ]:
        raise DataError(
            f"There is no test split beside {show_path(train)}, but {' and '.join(map(show_path, alike))} has folders "
            f"of its classes. If it is what to test on, name it {TEST_NAMES[0]}; if not, move it away."
        )
    return _divide(whole)


def _read_undivided(root: Path, *, sniff: bool) -> tuple[Labelled, Labelled] | None:
    """Reads a folder of class folders without splits.

    None where fewer than two folders hold images, where one holds none of its own, or where one is named like a split:
    then they are no classes.
    """
    folders = list_subfolders(root)
    if len(folders) < 2 or any(_SPLIT.search(folder.name.lower()) for folder in folders):
        return None
    endings = tuple(image_endings())
    if not all(any(path.name.lower().endswith(endings) for path in folder.iterdir()) for folder in folders):
        return None
    whole = scan(root, sniff=sniff)
    named = ", ".join(map(repr, whole.class_names[:5])) + (", ..." if len(whole.class_names) > 5 else "")
    note = f"The folder is not divided into splits: its {len(whole.class_names)} folders are the classes, {named}."
    return _divide(replace(whole, notes=(*whole.notes, note)))


def _divide(train: Labelled) -> tuple[Labelled, Labelled] | None:
    """A train and a test split; None where the folders hold Parquet files, which are read otherwise."""
    if not len(train.blobs) and ".parquet file" in train.passed_over:
        return None
    return hold_out(train)


def _list_by_name(home: Path) -> dict[str, Path]:
    """Folders by their names; those with capitals also in small letters, where no other folder is named so."""
    folders = list_subfolders(home)
    return {path.name.lower(): path for path in folders} | {path.name: path for path in folders}


def _read_splits(root: Path, train: Path, tests: list[Path], *, sniff: bool) -> tuple[Labelled, Labelled] | None:
    trained = scan(train, sniff=sniff, apart=tests)
    if not len(trained.blobs) and ".parquet file" in trained.passed_over:
        return None
    known = set(map(plain_name, trained.class_names))
    unlabelled: list[Path] = []
    for folder in tests:
        if any(plain_name(path.name) in known for path in list_subfolders(folder)):
            test: Labelled | None = leave_out_empty(scan(folder, sniff=sniff, apart=[train]), known)
        else:
            test = read_flat(folder, root, trained.class_names, sniff=sniff, apart=[train])
        if test is None:
            unlabelled.append(folder)
            continue
        notes = tell_unlabelled(folder.name, [path.name for path in unlabelled])
        return trained, replace(test, notes=(*test.notes, *notes))
    # None has labels that are known: where one has folders, they are other classes than those of training.
    other = next((folder for folder in unlabelled if list_subfolders(folder)), None)
    if other and not _is_flat(other):
        return trained, scan(other, sniff=sniff, apart=[train])
    raise DataError(
        f"The test images of {show_path(root)} have no labels: {' and '.join(path.name for path in unlabelled)} has no "
        "folder named as a class of training, and no file beside it names its images and their classes. Known are "
        "val_annotations.txt, LOC_val_solution.csv, any table of file names and classes (.txt, .csv, .tsv), and "
        "ILSVRC2012_validation_ground_truth.txt with the kit's meta.mat or a file of its classes in order. "
        f"{_tell_lists(root, unlabelled)}Without any of them, move these folders away: then a fifth of {train.name} is "
        "held out for testing."
    )


def _tell_lists(root: Path, splits: list[Path]) -> str:
    """What was looked at for labels, a sentence; empty where there was nothing."""
    looked = {path: count for folder in splits for path, count in count_lines(folder, root)}
    shown = [f"{show_path(path.relative_to(root))} ({count:,} lines)" for path, count in list(looked.items())[:_SHOWN]]
    more = f" and {len(looked) - _SHOWN} more" if len(looked) > _SHOWN else ""
    return f"Looked at: {', '.join(shown)}{more}. " if shown else ""


def _is_flat(folder: Path) -> bool:
    """Whether a split keeps its images in one folder that is no class."""
    return [path.name for path in list_subfolders(folder)] in ([], ["images"])
