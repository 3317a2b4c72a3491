"""Digests of values, files and folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that digests are taken of: sorted keys, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON value's canonical spelling."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in blocks of 1 MiB."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 (hex) of a file, or of a folder's files with their names below it.

    Raises:
        OSError: nothing is there, or it cannot be read.
    """
    if not path.is_dir():
        return file_digest(path)
    files = sorted(found for found in path.rglob("*") if found.is_file())
    return digest({found.relative_to(path).as_posix(): file_digest(found) for found in files})
