"""Which files are images: by their endings, and by their first bytes."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

_NO_READER = ("BUFR", "GRIB", "HDF5", "MPEG", "WMF")
"""Formats that Pillow knows by name and cannot decode."""

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
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_BLANK = ord(" ")
_LFS = b"version https://git-lfs"


@lru_cache(maxsize=1)
def image_endings() -> frozenset[str]:
    """Endings, in lower case and with their dot, of the files that can be decoded."""
    endings = Image.registered_extensions()
    return frozenset(end for end, known in endings.items() if known in Image.OPEN and known not in _NO_READER)


def name_foreign(start: bytes) -> str | None:
    """What a file is that begins so, where it surely is no image; None = it may be one."""
    if start.startswith(_MARKS):
        return next(what for mark, what in _FOREIGN if start.startswith(mark))
    if start[:4] == b"RIFF" and start[8:12] in (b"AVI ", b"WAVE"):
        return "film or sound"
    if start[4:8] == b"ftyp" and start[8:10] in (b"is", b"mp", b"qt", b"M4", b"av") and start[8:11] != b"avi":
        return "film or sound"
    return None


def read_start(path: str | Path) -> bytes:
    """The first bytes of a file; none where it cannot be read, which decoding will say."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # called for every file of a tree
            return file.read(32)
    except OSError:
        return b""


def explain_undecodable(source: bytes | Path) -> str:
    """Why an encoded image cannot be decoded, as far as its first bytes say."""
    start = source[:32] if isinstance(source, bytes) else read_start(source)
    size = len(source) if isinstance(source, bytes) else _size(source)
    if size == 0:
        return "The file is empty (0 bytes)."
    if start.startswith(_LFS):
        return "The file is a pointer of Git LFS, not the image: run `git lfs pull` where it was cloned."
    if foreign := name_foreign(start.lstrip()):
        return f"The file is no image but a {foreign}."
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC:
        return "The file is a HEIC photograph, which is not read here: convert it to JPEG or PNG."
    if start.isascii() and all(character >= _BLANK or chr(character).isspace() for character in start):
        return f"The file is text and no image; it begins with {start.decode()!r}."
    return "The file is damaged, incomplete, or no image."


def name_file(path: Path) -> str | None:
    """What a file surely is by its first bytes, whatever its name says; None = they do not tell."""
    start = read_start(path)
    if _size(path) == 0:
        return "is empty (0 bytes)"
    if start.startswith(_LFS):
        return "is a pointer of Git LFS, not the file: run `git lfs pull` where it was cloned"
    if start[8:9] == b"{" and start[7:8] == b"\0":
        return "is a safetensors file: name it .safetensors"
    foreign = name_foreign(start.lstrip())
    return foreign and f"is a {foreign}, and no file of weights or tensors"


def read_size(source: bytes | Path) -> tuple[int, int] | None:
    """Width and height by an image's header, also where Pillow refuses to open an image of that many pixels."""
    start = source[:32] if isinstance(source, bytes) else read_start(source)
    for name in Image.ID:
        reader, accepts = Image.OPEN[name]
        if accepts is not None and accepts(start) is True:
            with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
                return reader(file, "").size
    return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
