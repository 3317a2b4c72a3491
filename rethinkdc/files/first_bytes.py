"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import os
from pathlib import Path

_FOREIGN = (
    (b"%PDF", "PDF file"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    (b"PK\x03\x04", "ZIP file"),
    (b"\x1f\x8b", "gzip file"),
    (b"BZh", "bzip2 file"),
    (b"\xfd7zXZ", "xz file"),
    (b"7z\xbc\xaf", "7-Zip file"),
    (b"Rar!", "RAR file"),
    (b"\x93NUMPY", "NumPy file"),
    (b"PAR1", "Parquet file"),
    (b"MATLAB", "MATLAB file"),
    (b"SQLite", "SQLite file"),
    (b"\x7fELF", "program"),
    (b"<!DOCTYPE", "page of HTML"),
    (b"<!doctype", "page of HTML"),
    (b"<html", "page of HTML"),
    (b"<?xml", "XML file"),
    (b"<svg", "SVG drawing"),
    (b"\x00\x00\x01\xba", "MPEG film"),
    (b"\x00\x00\x01\xb3", "MPEG film"),
)
_MARKS = tuple(mark for mark, _ in _FOREIGN)
LFS = b"version https://git-lfs"
"""How a pointer of Git LFS begins."""


def read_start(path: str | Path) -> bytes:
    """The first bytes of a file; none where it cannot be read, which decoding will say."""
    try:
        # Called for every file of a tree. A pipe would keep its reader waiting for ever.
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            return file.read(32) or b""
    except OSError:
        return b""


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def name_foreign(start: bytes) -> str | None:
    """What a file is that begins so, where it surely is no image; None = it may be one."""
    if start.startswith(_MARKS):
        return next(what for mark, what in _FOREIGN if start.startswith(mark))
    if start[:4] == b"RIFF" and start[8:12] in (b"AVI ", b"WAVE"):
        return "film or sound"
    if start[4:8] == b"ftyp" and start[8:10] in (b"is", b"mp", b"qt", b"M4", b"av") and start[8:11] != b"avi":
        return "film or sound"
    return None


def name_file(path: Path) -> str | None:
    """What a file surely is by its first bytes, whatever its name says; None = they do not tell."""
    start = read_start(path)
    if count_bytes(path) == 0:
        return "is empty (0 bytes)"
    if start.startswith(LFS):
        return "is a pointer of Git LFS, not the file: run `git lfs pull` where it was cloned"
    if start[8:9] == b"{" and start[7:8] == b"\0":
        return "is a safetensors file: name it .safetensors"
    foreign = name_foreign(start.lstrip())
    return foreign and f"is a {foreign}, and no file of weights or tensors"


def count_bytes(path: Path) -> int | None:
    """Of a file; None where it cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return None
