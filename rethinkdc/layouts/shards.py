"""Whether the files of a split are all there: those that count themselves say how many there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rethinkdc.errors import DataError

_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)")
_SHOWN = 4


def check_shards(files: Sequence[Path]) -> None:
    """Refuses ``train-00000-of-00002.parquet`` without its fellows, as downloads that broke off leave them.

    Raises:
        DataError: files are missing; names them.
    """
    found: dict[tuple[Path, str, int, str], set[int]] = {}
    for file in files:
        if match := _SHARD.fullmatch(file.name):
            found.setdefault((file.parent, match[1], int(match[3]), match[4]), set()).add(int(match[2]))
    for (folder, name, count, ending), numbers in found.items():
        if missing := sorted(set(range(count)) - numbers):
            shown = ", ".join(f"{name}-{number:05d}-of-{count:05d}{ending}" for number in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise DataError(
                f"The folder {folder} lacks {len(missing)} of {count} files of {name}: {shown}{more}. Download them, "
                "or the whole dataset again."
            )


def tell_joined(files: Mapping[str, Sequence[str]], root: Path) -> tuple[str, ...]:
    """Notes that name the splits whose files lie in several folders: those may be several datasets."""
    notes = []
    for split, names in files.items():
        folders = sorted({Path(name).parent for name in names if root in Path(name).parents})
        if len(folders) > 1:
            places = ", ".join(str(folder.relative_to(root)) for folder in folders[:_SHOWN])
            more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
            notes.append(f"The {split} split joins the files of {len(folders)} folders: {places}{more}.")
    return tuple(notes)
