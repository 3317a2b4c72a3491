"""Hugging Face ``datasets``: Parquet folders and hub ids, read from their memory-mapped Arrow files.

Remote code is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rethinkdc.data.backing import Backing
from rethinkdc.data.fingerprint import KnownSplits
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DataError
from rethinkdc.files.parquet_files import check_parquet
from rethinkdc.layouts.batches import find_batches, read_batches
from rethinkdc.layouts.held_out import hold_out
from rethinkdc.layouts.image_tree import TRAIN_NAMES
from rethinkdc.layouts.known import LAYOUTS, refuse_layout
from rethinkdc.layouts.labelled import TEST_NAMES, Labelled, assemble_splits, tell_unlabelled
from rethinkdc.layouts.labels import check_from_zero
from rethinkdc.layouts.opening import SAVED, load_dataset, load_saved
from rethinkdc.layouts.pages import check_pages
from rethinkdc.layouts.parquet_columns import has_no_labels, read_split, read_stated_names
from rethinkdc.layouts.prepared_splits import read_prepared
from rethinkdc.layouts.shards import check_shards, tell_joined
from rethinkdc.layouts.tree_layouts import read_tree
from rethinkdc.layouts.walking import list_files

__all__ = ["from_datasets", "load_hub", "load_path"]

Keep = Callable[[Labelled], Labelled]
"""What a dataset takes of each split, such as some of its classes."""


def load_path(
    path: Path,
    *,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
    known: KnownSplits | None = None,
    keep: Keep | None = None,
) -> Splits:
    """Reads what `rethinkdc prepare` wrote, an image tree, batches of CIFAR, or a Parquet folder.

    Args:
        path: the folder.
        cache_folder: where Arrow files and decoded pixels are kept; None = Hugging Face's own cache, and no pixels.
        backing: how the images are held.
        known: fingerprints from the book; None = take them now.
        keep: takes what is wanted of each split, before anything of it is read; None = all.

    Raises:
        DataError: the folder is missing or unreadable, has no known layout, or holds a dataset that cannot be used.
    """
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        why = "it is a file" if folder.exists() else "it does not exist"
        raise DataError(f"Cannot read the dataset folder {path}: {why}. {LAYOUTS}")
    prepared = read_prepared(folder, cache_folder=cache_folder, backing=backing, known=known)
    if keep is not None and (prepared or find_batches(folder)):
        raise DataError(
            f"Some classes of what {path} holds are wanted, and its layout is read whole: name a folder of image files "
            "or of Parquet. `rethinkdc prepare` makes shards of the smaller dataset by its name."
        )
    if prepared:
        return prepared
    if batches := find_batches(folder):
        if batches.folder != folder and (
            other := next((name for name in TRAIN_NAMES if (folder / name).is_dir()), None)
        ):
            raise DataError(
                f"The folder {path} holds several datasets: {batches.folder.name}, and another in {other}. Name "
                f"{batches.folder} itself, or move it away."
            )
        return read_batches(batches)
    # Where the book knows the files, their first bytes were looked at; only where some were foreign, they are again.
    tree = read_tree(folder, sniff=known is None or bool(known.facts.passed_over))
    if tree:
        parts = tree if keep is None else map(keep, tree)
        return assemble_splits(*parts, known=known, cache_folder=cache_folder, backing=backing)
    if (folder / SAVED).is_file():
        return from_datasets(
            load_saved(folder), where=str(path), cache_folder=cache_folder, backing=backing, known=known, keep=keep
        )
    parquet = [file for file in list_files(folder) if file.suffix == ".parquet"]
    check_shards(parquet)
    if not parquet:
        refuse_layout(path, folder)
    for file in parquet:
        check_parquet(file)
    check_pages(folder)
    remedy = "Check the folder's Parquet files."
    loaded, files = load_dataset(str(folder), cache_folder and cache_folder / "datasets", remedy)
    return from_datasets(
        loaded,
        where=str(path),
        cache_folder=cache_folder,
        backing=backing,
        known=known,
        notes=tell_joined(files, folder),
        class_names={split: read_stated_names(names, f"the {split} split of {path}") for split, names in files.items()},
        bases={split: _list_bases(names, folder) for split, names in files.items()},
        keep=keep,
    )


def load_hub(
    repo: str,
    *,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
    known: KnownSplits | None = None,
    keep: Keep | None = None,
) -> Splits:
    """Reads a dataset of the Hugging Face hub, from its local cache when it has been downloaded before.

    Args:
        repo: ``OWNER/NAME``.
        cache_folder: where decoded pixels are kept; the download stays in Hugging Face's own cache, shared with others.
        backing: how the images are held.
        known: fingerprints from the book; None = take them now.
        keep: takes what is wanted of each split; None = all.

    Raises:
        DataError: there is no such dataset, no network to download it, or it cannot be used.
    """
    remedy = (
        f"There is no folder {repo} here either. Check the id. Fetch it while there is a network (`rethinkdc prepare "
        "--study STUDY` fetches what a study needs; gated datasets need `hf auth login`), or pass a local folder: "
        f"`hf download {repo} --repo-type dataset --local-dir FOLDER`, then --dataset FOLDER."
    )
    loaded, _ = load_dataset(repo, None, remedy)
    return from_datasets(loaded, where=repo, cache_folder=cache_folder, backing=backing, known=known, keep=keep)


def from_datasets(
    loaded: Mapping[str, Any],
    *,
    where: str,
    cache_folder: Path | None = None,
    backing: Backing = "auto",
    known: KnownSplits | None = None,
    class_names: Mapping[str, tuple[str, ...] | None] | None = None,
    bases: Mapping[str, Sequence[Path]] | None = None,
    notes: tuple[str, ...] = (),
    keep: Keep | None = None,
) -> Splits:
    """Makes a dataset of a ``datasets.DatasetDict``.

    Args:
        loaded: a ``datasets.Dataset`` for each split.
        where: names the dataset in errors.
        cache_folder: where decoded pixels are kept.
        backing: how the images are held.
        known: fingerprints from the book; None = take them now.
        class_names: the names that a split's own files state, where they are known: they overrule the features,
            which ``datasets`` takes from one split and gives to all without mapping the labels.
        bases: the folders that a split's paths to images may be relative to.
        notes: what was assumed before, a sentence each.
        keep: takes what is wanted of each split; None = all.

    Raises:
        DataError: a split or column is missing, or the classes do not fit; says what was found.
    """
    train = next((name for name in TRAIN_NAMES if name in loaded), None)
    if train is None:
        raise DataError(f"{where} has no train split; it has {', '.join(map(str, loaded))}. {LAYOUTS}")
    stated, places = class_names or {}, bases or {}
    if len(loaded) == 1:
        whole = read_split(loaded[train], f"the {train} split of {where}", stated.get(train), places.get(train, ()))
        check_from_zero(whole.targets, whole.label)
        whole = replace(whole, notes=(*notes, *whole.notes))
        whole = keep(whole) if keep else whole
        return assemble_splits(*hold_out(whole), known=known, cache_folder=cache_folder, backing=backing)
    test, unlabelled = _find_labelled_test(loaded, where)
    parts = [
        replace(
            read_split(loaded[name], f"the {name} split of {where}", stated.get(name), places.get(name, ())),
            split=str(name),
        )
        for name in (train, test)
    ]
    check_from_zero(parts[0].targets, parts[0].label)
    parts[0] = replace(parts[0], notes=(*notes, *parts[0].notes))
    parts[1] = replace(parts[1], notes=(*parts[1].notes, *tell_unlabelled(test, unlabelled)))
    parts = list(map(keep, parts)) if keep else parts
    return assemble_splits(*parts, known=known, cache_folder=cache_folder, backing=backing)


def _find_labelled_test(loaded: Mapping[str, Any], where: str) -> tuple[str, list[str]]:
    """Finds the preferred test split whose rows have labels, and those before it that have none."""
    unlabelled: list[str] = []
    for name in TEST_NAMES:
        if name not in loaded:
            continue
        if not has_no_labels(loaded[name], f"the {name} split of {where}"):
            return name, unlabelled
        unlabelled.append(name)
    present = ", ".join(map(str, loaded))
    why = f"; without labels: {', '.join(unlabelled)}" if unlabelled else ""
    raise DataError(f"{where} has no labelled test split; it has {present}{why}. Known names: {', '.join(TEST_NAMES)}.")


def _list_bases(files: Sequence[str], folder: Path) -> list[Path]:
    """Each file's own folder and those above it, up to the dataset's."""
    bases: dict[Path, None] = {}
    for file in map(Path, files):
        for base in file.parents:
            if base == folder or folder in base.parents:
                bases[base] = None
    return list(bases)
