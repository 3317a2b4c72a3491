"""A split whose images lie in one folder beside a ``metadata`` file of their labels, as Hugging Face reads them.

``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet`` has a column ``file_name``, a path relative to the file,
and a column of classes: one of the usual names, or the only other.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from rethinkdc.data.blobs import PathBlobs
from rethinkdc.documents import parse_json_lines
from rethinkdc.errors import DataError
from rethinkdc.files.parquet_files import read_parquet
from rethinkdc.layouts.image_tree import list_images, name_ending
from rethinkdc.layouts.labelled import Labelled
from rethinkdc.layouts.labels import check_from_zero, is_unlabelled, plain_labels, read_targets
from rethinkdc.layouts.parquet_columns import LABEL_COLUMNS
from rethinkdc.layouts.walking import Walk, list_subfolders
from rethinkdc.storage import read_regular, show_path

_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_NAME = "file_name"
_WHOLE = re.compile(r"0|-?[1-9]\d*")
_UNUSED = ("split",)
"""A column that many have and that is no class."""


def find_metadata(folder: Path, root: Path) -> Path | None:
    """Finds the file of labels of a split whose subfolders are no classes, in it or above it; None = there is none.

    Args:
        folder: the split.
        root: the folder of all splits; the same where there are none.

    Raises:
        DataError: there are two, or it is not clear whether the folders or the file say what the classes are.
    """
    found = [place / name for place in dict.fromkeys((folder, root)) for name in _FILES if (place / name).is_file()]
    found = [file for file in found if _read_within(file, folder).get(_NAME)]
    if not found:
        return None
    if len(found) > 1:
        raise DataError(f"Both {' and '.join(map(show_path, found))} describe the images: leave one of them.")
    columns = _read_within(found[0], folder)
    below = {parts[0] for name in columns[_NAME] if len(parts := PurePosixPath(name).parts) > 1}
    # One folder is where the images lie; several may be classes.
    if len(below) < 2 and not [path for path in list_subfolders(folder) if path.name not in below]:
        return found[0]
    label = next((name for name in LABEL_COLUMNS if name in columns), None)
    if label is None:
        return None
    rows = zip(columns[_NAME], columns[label], strict=True)
    differing = sum(PurePosixPath(name).parts[0] != str(given) for name, given in rows)
    if differing:
        raise DataError(
            f"The folders in {show_path(folder)} and the column {label} of {found[0].name} give other classes to "
            f"{differing:,} images. Remove the file where the folders are the classes; else put the images in one "
            "folder."
        )
    return None


def read_metadata(file: Path, folder: Path, *, sniff: bool = True, apart: Sequence[Path] = ()) -> Labelled | None:
    """Lists the images of a split in the order in which a file of labels names them.

    Args:
        file: of :func:`find_metadata`.
        folder: the split.
        sniff: whether to look at the first bytes of every image.
        apart: other splits, whose images must not be shown here too.

    Returns:
        The labelled images; None when it gives no labels.

    Raises:
        DataError: it is not clear which column is the label, or file and images do not fit.
    """
    columns = _read_within(file, folder)
    column = _find_label(columns, file)
    if column is None:
        return None
    label = f"the split {show_path(folder)}"
    given = _column(columns[column], label)
    if is_unlabelled(plain_labels(given, label)):
        return None
    targets, names = read_targets(given, None, label)
    check_from_zero(targets, label)
    walk = Walk(folder, apart)
    images = set(list_images(folder, walk, sniff=sniff))
    _check_listed(columns[_NAME], images, file)
    note = f"Classes are the column {column!r} of {file.name}."
    return Labelled(
        blobs=PathBlobs([(folder, columns[_NAME])]),
        targets=targets,
        class_names=names,
        label=label,
        passed_over=Counter(walk.passed_over) - Counter([name_ending(file)]),
        notes=(note,) if column != LABEL_COLUMNS[0] else (),
        split=folder.name,
    )


def _find_label(columns: Mapping[str, Sequence[Any]], file: Path) -> str | None:
    others = [name for name in columns if name != _NAME and name not in _UNUSED]
    usual = [name for name in LABEL_COLUMNS if name in others]
    found = usual or others
    if not found:
        return None
    if any(list(columns[name]) != list(columns[found[0]]) for name in found[1:]):
        raise DataError(
            f"It is not clear which column of {show_path(file)} is the class: {', '.join(found)}. Call one of them "
            f"{LABEL_COLUMNS[0]}, and leave out the others."
        )
    return found[0]


def _check_listed(listed: Sequence[str], images: set[str], file: Path) -> None:
    if missing := [name for name in listed if name not in images]:
        raise DataError(
            f"{show_path(file)} names {len(missing):,} images that are not there, such as {missing[0]}. Restore them, "
            "or take their lines out."
        )
    if twice := [name for name, count in Counter(listed).items() if count > 1]:
        raise DataError(f"{show_path(file)} names {len(twice):,} images more than once, such as {twice[0]}.")
    if more := sorted(images - set(listed)):
        raise DataError(
            f"{show_path(file)} has no line for {len(more):,} of the {len(images):,} images beside it, such as "
            f"{show_path(more[0])}. Restore the file, or remove the images without a class."
        )


def _column(values: Sequence[Any], label: str) -> Any:
    import pyarrow as pa

    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DataError(f"The labels of {label} are of no type or of several: {str(error).splitlines()[0]}.") from error


def _read_within(file: Path, folder: Path) -> dict[str, list[Any]]:
    """The columns for the images below ``folder``, their paths relative to it."""
    columns, place = _read(file), folder.relative_to(file.parent)
    paths = [PurePosixPath(str(name)) for name in columns.get(_NAME, ())]
    inside = [at for at, path in enumerate(paths) if path.is_relative_to(place)]
    kept = {name: [values[at] for at in inside] for name, values in columns.items()} if inside else {}
    return {**kept, _NAME: [str(paths[at].relative_to(place)) for at in inside]}


def _read(file: Path) -> dict[str, list[Any]]:
    """Columns by their names; a file that has not changed is parsed once for its splits."""
    status = file.stat()
    return _parse(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _parse(file: Path, *_: int) -> dict[str, list[Any]]:
    try:
        if file.suffix == ".parquet":
            table: dict[str, list[Any]] = read_parquet(file).to_pydict()
            return table
        text = read_regular(file).decode("utf-8-sig")
        if file.suffix == ".jsonl":
            rows = parse_json_lines(text)
            return {name: [row.get(name) for row in rows] for name in (rows[0] if rows else {})}
        lines = list(csv.reader(line for line in text.splitlines() if line.strip()))
        return {name: _plain([row[at] for row in lines[1:]]) for at, name in enumerate(lines[0] if lines else [])}
    except Exception as error:  # every library raises types of its own
        told = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise DataError(f"Cannot read {show_path(file)}: {type(error).__name__}: {told}.") from error


def _plain(cells: list[str]) -> list[Any]:
    """Cells of a text file: whole numbers where all are, written as Python writes them; missing where empty."""
    if any(cells) and all(_WHOLE.fullmatch(cell) for cell in cells if cell):
        return [int(cell) if cell else None for cell in cells]
    return [cell or None for cell in cells]
