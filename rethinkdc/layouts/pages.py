"""The pages of datasets: what their metadata claims is held against itself before a library believes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rethinkdc.errors import DataError
from rethinkdc.storage import check_regular, show_path

_PAGES = ("README.md", ".huggingface.yaml")
"""Where Hugging Face ``datasets`` looks for metadata, in a dataset's own folder."""


def check_pages(folder: Path) -> None:
    """Refuses metadata that number few classes up to a large number: ``datasets`` would ask for memory for them all.

    Args:
        folder: of a dataset. What is wrong with its pages otherwise, ``datasets`` tells.

    Raises:
        DataError: classes are numbered with a gap, or a page is no regular file.
    """
    for page in (folder / name for name in _PAGES):
        if not page.exists():
            continue
        try:
            check_regular(page)
        except OSError as error:
            raise DataError(f"Cannot read {show_path(page)}: {error.strerror}. Move it away.") from error
        for names in _named_classes(_metadata(page), set()):
            _check_numbers(page, names)


def _metadata(page: Path) -> Any:
    import yaml
    from huggingface_hub.repocard import metadata_load

    with suppress(OSError, ValueError, RecursionError, yaml.YAMLError):
        return metadata_load(page) if page.suffix == ".md" else yaml.safe_load(page.read_bytes())
    return None


def _named_classes(value: Any, seen: set[int]) -> Iterator[Mapping[Any, Any]]:
    """The tables of names of all class labels; a value that aliases repeat is looked at once."""
    if id(value) in seen or not isinstance(value, Mapping | list):
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        label = value.get("class_label")
        if isinstance(label, Mapping) and isinstance(names := label.get("names"), Mapping):
            yield names
    for inner in value.values() if isinstance(value, Mapping) else value:
        yield from _named_classes(inner, seen)


def _check_numbers(page: Path, names: Mapping[Any, Any]) -> None:
    with suppress(TypeError, ValueError):
        last = max(map(int, names), default=-1)
        if last >= len(names):
            raise DataError(
                f"{show_path(page)} names {len(names):,} classes and numbers them up to {_shown(last)}: number them "
                "from 0 without a gap, under dataset_info, features, class_label, names."
            )


def _shown(number: int) -> str:
    return f"{number:,}" if abs(number) < 10**18 else "more than 10^18"
