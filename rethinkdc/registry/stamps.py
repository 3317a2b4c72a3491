"""By what it is known that a plugin, and what is installed beside it, are still the same. Imports nothing of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import all_suffixes
from importlib.metadata import Distribution, EntryPoint
from importlib.util import find_spec
from os import scandir, stat_result
from pathlib import Path

from rethinkdc.storage import digest, show_path

_RULES = 1
"""Raised when plugins are judged otherwise."""
_METADATA = (".dist-info", ".egg-info")
_SUFFIXES = tuple(all_suffixes())


def stamp_surroundings() -> str:
    """Of this Python and all that is installed: a plugin may work, or fail, by what it depends on."""
    found = {}
    for place in dict.fromkeys(sys.path):
        for entry in _scan(Path(place or ".")):
            if entry.suffix in _METADATA:
                found[show_path(entry)] = _stamp(entry)
    return digest([_RULES, sys.version, sys.prefix, sorted(found.items())])


def stamp_plugin(point: EntryPoint) -> str:
    """Of the code of a plugin: what its distribution lists, and what lies where its module is found."""
    files = {*_listed(point.dist), *_beside(point.value)}
    return digest([point.value, sorted((show_path(file), _stamp(file)) for file in files)])


def is_in_memory(point: EntryPoint) -> bool:
    """Whether the module was made in this process and lies in no file: nothing of it can be imported elsewhere."""
    module = sys.modules.get(point.value.partition(":")[0].strip())
    return module is not None and getattr(module, "__spec__", None) is None


def _listed(distribution: Distribution | None) -> Iterator[Path]:
    try:
        files = (distribution.files if distribution else None) or []
    except Exception:
        # A list that cannot be read lists nothing; what lies beside the module is seen all the same.
        files = []
    for file in files:
        if file.name.endswith(_SUFFIXES) and "__pycache__" not in file.parts:
            yield Path(str(file.locate()))


def _beside(value: str) -> Iterator[Path]:
    """The code of the package that the module belongs to; for a single module also of those in its folder."""
    top = value.partition(":")[0].partition(".")[0].strip()
    try:
        spec = find_spec(top)
    except Exception:
        # Finders of others may raise anything; the import will tell.
        return
    if spec is None:
        return
    if spec.submodule_search_locations is not None:
        for place in spec.submodule_search_locations:
            for file in Path(place).rglob("*"):
                if file.name.endswith(_SUFFIXES) and "__pycache__" not in file.parts:
                    yield file
    elif spec.origin and spec.has_location:
        yield from (file for file in _scan(Path(spec.origin).parent) if file.name.endswith(_SUFFIXES))


def _stamp(path: Path) -> tuple[int, ...]:
    """Size in bytes, times in nanoseconds, inode; nothing of what is not there."""
    try:
        about: stat_result = path.stat()
    except OSError:
        return ()
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)


def _scan(folder: Path) -> list[Path]:
    try:
        with scandir(folder) as found:
            return [Path(entry.path) for entry in found]
    except OSError:
        return []
