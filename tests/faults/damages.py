"""What happens to files: each damage takes a path and returns what takes it away again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.matrix import Mend

Damage = Callable[[Path], None]
"""Damages a file that is there."""


def cut(path: Path) -> None:
    """Half of it is left."""
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """One bit in the middle is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def delete(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Damage] = {
    "cut in half": cut,
    "with one bit flipped": flip,
    "emptied": empty,
    "deleted": delete,
    "a folder in its place": folder,
    "a link to nowhere in its place": link,
    "a pipe in its place": pipe,
}

OTHER_VERSION = "of another version"


def damage(path: Path, how: Damage) -> Mend:
    """Damages a file; as it was it lies meanwhile outside of the place."""
    kept = tempfile.mkdtemp(prefix="rethinkdc-kept-")
    shutil.copy2(path, kept)
    how(path)
    return partial(_restore, path, Path(kept))


def _restore(path: Path, kept: Path) -> None:
    if not path.parent.exists():
        # Work that came to its end.
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    shutil.copy2(kept / path.name, path)
    shutil.rmtree(kept)
