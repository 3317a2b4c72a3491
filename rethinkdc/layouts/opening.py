"""Opens datasets with Hugging Face ``datasets``, which takes seconds to import: that happens inside the functions."""

from __future__ import annotations

import errno
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from rethinkdc.errors import DataError
from rethinkdc.storage import can_keep, show_path

T = TypeVar("T")
_REFUSED = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL),
}
"""What a file meets that is another user's, or a lock where there are none."""

SAVED = "dataset_dict.json"
"""What ``DatasetDict.save_to_disk`` writes beside the folders of its splits."""


def load_dataset(
    name: str, arrow_folder: Path | None, remedy: str
) -> tuple[Mapping[str, Any], Mapping[str, list[str]]]:
    """Loads the splits, and names the data files that each was made of.

    Args:
        name: a folder, or the id of a dataset of the hub.
        arrow_folder: where Arrow files are kept; None = Hugging Face's own cache.
        remedy: what to do where it fails, a sentence.

    Raises:
        DataError: it cannot be loaded; says why.
    """
    import datasets

    def load(arrow: str | None) -> tuple[Mapping[str, Any], Mapping[str, list[str]]]:
        files = datasets.load_dataset_builder(name, cache_dir=arrow).config.data_files or {}
        loaded: Mapping[str, Any] = datasets.load_dataset(name, cache_dir=arrow)
        return loaded, {str(split): [str(file) for file in paths] for split, paths in files.items()}

    try:
        with quiet_unless_watched():
            return with_arrow(load, arrow_folder)
    except Exception as error:  # the libraries below raise their own, unrelated types
        raise DataError(f"Cannot load the dataset {name}: {tell_cause(error)} {remedy}") from error


def with_arrow(load: Callable[[str | None], T], folder: Path | None) -> T:
    """Loads by way of Arrow files in a folder of the cache; in one of this process where that is refused.

    Args:
        load: is given the folder.
        folder: of the cache; None = Hugging Face's own.
    """
    if folder is None:
        return load(None)
    if can_keep(folder.parent, folder.name):
        try:
            return load(str(folder))
        except Exception as error:  # the libraries below raise their own, unrelated types
            if not _is_refusal(error):
                raise
            warnings.warn(
                f"What others keep in {show_path(folder)} cannot be gone on with ({tell_cause(error)}). The Arrow "
                "files of the dataset are made again, for this process.",
                stacklevel=2,
            )
    return load(_own_folder().name)


def _is_refusal(error: BaseException | None) -> bool:
    """Whether an error is one of permissions or locks, or hides one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return True
        error = error.__cause__ or error.__context__
    return False


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends: until then its files are mapped."""
    return tempfile.TemporaryDirectory(prefix="rethinkdc-")


def tell_cause(error: BaseException) -> str:
    """What an error of ``datasets`` says; where it names no cause, the first line of the error that it hides."""
    told = f"{type(error).__name__}: {error}"
    cause = error.__cause__
    if cause is None or "error occurred while generating" not in told:
        return f"{told.rstrip('. ')}."
    lines = str(cause).strip().splitlines() or ["no reason given"]
    return f"{type(cause).__name__}: {lines[0].rstrip('.')}."


def load_saved(folder: Path) -> Mapping[str, Any]:
    """Opens what ``DatasetDict.save_to_disk`` wrote.

    Raises:
        DataError: it cannot be opened; says why.
    """
    import datasets

    try:
        with quiet_unless_watched():
            loaded: Mapping[str, Any] = datasets.load_from_disk(str(folder))
    except Exception as error:  # the libraries below raise their own, unrelated types
        raise DataError(f"Cannot load the dataset {folder}: {tell_cause(error)} Save it again.") from error
    return loaded


@contextmanager
def quiet_unless_watched() -> Iterator[None]:
    """Turns the progress bars of ``datasets`` off where stderr is no terminal.

    Its log is off as well: whatever it raises says the same, and is told in the words of whoever asked.
    """
    import datasets
    from datasets.utils import logging

    quiet, told = not sys.stderr.isatty() and not datasets.are_progress_bars_disabled(), logging.get_verbosity()
    if quiet:
        datasets.disable_progress_bars()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(told)
        if quiet:
            datasets.enable_progress_bars()
