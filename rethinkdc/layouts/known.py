"""The layouts of datasets that are known, and the refusal of a folder that has none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rethinkdc.data.image_files import image_endings
from rethinkdc.errors import DataError
from rethinkdc.layouts.batches import find_batches
from rethinkdc.layouts.image_tree import TRAIN_NAMES
from rethinkdc.layouts.labelled import TEST_NAMES
from rethinkdc.layouts.parquet_columns import IMAGE_COLUMNS, LABEL_COLUMNS
from rethinkdc.layouts.walking import list_subfolders
from rethinkdc.storage import show_path

LAYOUTS = (
    "Known layouts: an image tree with FOLDER/train/CLASS/FILE and FOLDER/test/CLASS/FILE "
    f"(the test part may be named {', '.join(TEST_NAMES)}); the same with a flat test part and a file of its labels, "
    "as Tiny ImageNet and ImageNet are published; images beside a metadata.csv, .jsonl or .parquet with the columns "
    "file_name and label; any of these without a test part, or FOLDER/CLASS/FILE alone: then a fifth "
    "of the images is held out for testing; CIFAR's unpacked batches, for Python or binary; what save_to_disk of "
    f"Hugging Face wrote; a folder of Parquet files with those splits and the columns {'|'.join(IMAGE_COLUMNS)} and "
    f"{'|'.join(LABEL_COLUMNS)}."
)
_SHOWN = 8


def refuse_layout(path: Path, folder: Path) -> NoReturn:
    """Says what a folder holds, what keeps it from being a dataset, and what is known.

    Args:
        path: the folder as it was given.
        folder: the same, resolved.

    Raises:
        DataError: always.
    """
    names = sorted(show_path(entry.name) for entry in folder.iterdir())
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise DataError(
        f"The folder {path} has no layout that is known; it holds {', '.join(names[:_SHOWN]) or 'nothing'}{more}. "
        f"{_tell_archives(names)}{_tell_near(folder)}{LAYOUTS}"
    )


def _tell_near(folder: Path) -> str:
    """Where below a folder a dataset lies, or what keeps its folders from being classes; empty where nobody can say."""
    inside = list_subfolders(folder)
    if below := [each for each in inside if find_batches(each) or any((each / name).is_dir() for name in TRAIN_NAMES)]:
        return f"A dataset lies in {' and '.join(show_path(each.name) for each in below)}: name that folder itself. "
    endings = tuple(image_endings())
    bare = [each for each in inside if not any(file.name.lower().endswith(endings) for file in each.iterdir())]
    if len(inside) - len(bare) > 1 and bare:
        names = " and ".join(show_path(each.name) for each in bare[:4])
        return f"If its folders are classes, move {names} away: no image lies in it. "
    return ""


def _tell_archives(names: Sequence[str]) -> str:
    packed = [name for name in names if name.endswith((".tar", ".gz", ".tgz", ".zip"))]
    return f"Unpack {' and '.join(packed[:4])} first. " if packed else ""
