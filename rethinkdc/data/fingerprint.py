"""Content hashes of images, and the book that spares taking them again.

Two tiers: a signature (names, sizes and times of files) is cheap and says whether anything may have changed; the
content hash is what digests are made of. The book maps the first to the second.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from rethinkdc.data.blobs import Blobs
from rethinkdc.data.splits import Schema, splits_fingerprint
from rethinkdc.errors import DamagedError, DataError
from rethinkdc.notes import Facts
from rethinkdc.storage import canonical_json, read_regular, read_sealed, remember

_BLOCK = 1 << 14


def content_fingerprint(blobs: Blobs, targets: Tensor, class_names: Sequence[str]) -> str:
    """SHA-256 (hex) of the class names, the targets int64 [N] and every encoded file in row order, streamed.

    Raises:
        DataError: a file cannot be read; names it.
    """
    total = ContentHash(targets, class_names)
    for row in range(len(blobs)):
        total.add(read_bytes(blobs, row))
    return total.hexdigest()


class ContentHash:
    """What :func:`content_fingerprint` gives, taken file by file in row order."""

    def __init__(self, targets: Tensor, class_names: Sequence[str]) -> None:
        self._total = _begin("encoded", targets, class_names)

    def add(self, content: bytes) -> None:
        """Adds the next encoded file."""
        self._total.update(len(content).to_bytes(8, "little"))
        self._total.update(content)

    def hexdigest(self) -> str:
        """The hash of all that was added."""
        return self._total.hexdigest()


def read_bytes(blobs: Blobs, row: int) -> bytes:
    """One encoded file.

    Raises:
        DataError: it cannot be read; names it.
    """
    source = blobs.read(row)
    if isinstance(source, bytes):
        return source
    try:
        return read_regular(source)
    except OSError as error:
        raise DataError(
            f"Cannot read the image at {blobs.where(row)}: {error}. Restore the file, or delete the dataset's "
            "cached copy so that it is made again."
        ) from error


def pixels_fingerprint(pixels: Tensor, targets: Tensor, class_names: Sequence[str]) -> str:
    """SHA-256 (hex) of the class names, the targets int64 [N] and the pixels uint8 [N, 3, h, w]."""
    total = _begin(f"pixels {list(pixels.shape)}", targets, class_names)
    by_row = pixels.permute(0, 2, 3, 1)
    for first in range(0, len(pixels), _BLOCK):
        total.update(by_row[first : first + _BLOCK].contiguous().numpy().data)
    return total.hexdigest()


def stat_signature(paths: Iterable[Path | str], root: Path) -> str:
    """SHA-256 (hex) of ``root`` and of the relative path, size, inode and times of every file, in the order given.

    The root's place is part of it, since archives often unpack with equal sizes and times. The time of change and the
    inode tell of content that was replaced under its old size and time of modification, which anybody can set.

    Raises:
        OSError: a file is missing.
    """
    total = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape"))
    start = os.path.join(root, "")  # noqa: PTH118  # texts: with Path objects, the time goes into making them
    for path in (os.fspath(each) for each in paths):
        status = os.stat(path)  # noqa: PTH116
        name = path.removeprefix(start).replace(os.sep, "/").encode("utf-8", "surrogateescape")
        about = (len(name), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        total.update(b"\0%d\0%d\0%d\0%d\0%d\0" % about + name)
    return total.hexdigest()


class KnownSplits(BaseModel):
    """What the book knows of a dataset: the fingerprints of its parts, its exact schema, what was told of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: str
    test: str
    layout: Schema
    facts: Facts = Facts()

    @property
    def fingerprint(self) -> str:
        """The dataset's fingerprint."""
        return splits_fingerprint(self.train, self.test)


class FingerprintBook:
    """A folder of sealed files of JSON, one for each signature."""

    def __init__(self, folder: Path) -> None:
        """Opens the book at ``folder``, which need not exist and may be read-only: then nothing is remembered."""
        self.folder = folder

    def find(self, signature: str) -> KnownSplits | None:
        """What is known of a signature; None when nothing is, or when the entry is damaged (it is written again)."""
        try:
            return KnownSplits.model_validate_json(read_sealed(self._place(signature)))
        except (OSError, DamagedError, ValidationError):
            return None

    def write(self, signature: str, known: KnownSplits) -> None:
        """Remembers a dataset."""
        remember(self._place(signature), known.model_dump_json(indent=1).encode())

    def _place(self, signature: str) -> Path:
        return self.folder / f"{signature}.sealed"


def _begin(what: str, targets: Tensor, class_names: Sequence[str]) -> hashlib._Hash:
    total = hashlib.sha256(canonical_json({"what": what, "classes": list(class_names), "rows": len(targets)}).encode())
    total.update(targets.contiguous().numpy().astype("<i8", copy=False).data)
    return total
