"""Which backing a set of images gets: one tensor when it fits, else encoded files.

Decoded pixels are kept in the cache, so that the next process maps them instead of decoding again.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import PIL

from rethinkdc.choices import Backing as Backing
from rethinkdc.cores import cores
from rethinkdc.data.chunks import CHUNK, in_chunks
from rethinkdc.data.decode import decode
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.data.fingerprint import ContentHash, read_bytes
from rethinkdc.data.resize import empty_canvases
from rethinkdc.errors import DamagedError, DataError, StorageError
from rethinkdc.storage import can_keep, digest, mark_used, new_folder, upstream_of, verify_folder, write_tensors
from rethinkdc.types import Images

DECODED_LIMIT = 1 << 30
"""Bytes of decoded pixels, for each split, above which images stay encoded."""

DECODE_REVISION = 1
"""Raised whenever the same bytes decode to other pixels."""

_KIND = "decoded"
"""Folder of the cache that holds pixels."""
_FILE = "images.safetensors"


class _SizesDifferError(Exception):
    def __init__(self, row: int, size: tuple[int, int]) -> None:
        super().__init__(row, size)
        self.row = row
        self.size = size


def choose_backing(
    encoded: EncodedImages,
    cache_folder: Path | None = None,
    limit_bytes: int = DECODED_LIMIT,
    backing: Backing = "auto",
) -> Images:
    """Decodes images when all have one size and fit in memory, else leaves them encoded.

    Both give the same pixels, and the same fingerprint.

    Args:
        encoded: N images.
        cache_folder: where decoded pixels are kept between processes; None or a read-only folder = nowhere.
        limit_bytes: the most that ``auto`` decodes, in bytes of pixels.
        backing: ``auto``, or one of the two whatever the limit.

    Raises:
        DataError: an image that had to be decoded cannot be, or is not the one of the fingerprint any more; or
            ``decoded`` is asked for and sizes differ.
    """
    if backing == "encoded" or not len(encoded):
        return encoded
    known = find_cached_pixels(encoded.fingerprint, cache_folder)
    if known is not None:
        return known
    height, width = encoded.decoded(0).shape[1:]
    if backing == "auto" and len(encoded) * 3 * height * width > limit_bytes:
        return encoded
    try:
        decoded = _decode_all(encoded, (height, width))
    except _SizesDifferError as error:
        if backing == "auto":
            return encoded
        raise DataError(
            f"The decoded backing holds images of one size, but {encoded.blobs.where(0)} is {height} x {width} and "
            f"{encoded.blobs.where(error.row)} is {error.size[0]} x {error.size[1]} px. Use the encoded backing."
        ) from error
    return keep_pixels(decoded, cache_folder)


def find_cached_pixels(fingerprint: str, cache_folder: Path | None) -> DecodedImages | None:
    """Maps the decoded pixels of an earlier process, also of the cache that is only read; None when there are none.

    Damaged ones are removed with a warning.
    """
    if cache_folder is None:
        return None
    upstream = upstream_of(cache_folder)
    for root in (cache_folder, upstream) if upstream else (cache_folder,):
        folder = _find_folder(fingerprint, root)
        if not os.path.isdir(folder):  # noqa: PTH112 - does not raise where this user may not look
            continue
        try:
            verify_folder(folder)
            found = _map(folder, fingerprint)
        except (DamagedError, DataError, OSError) as error:
            warnings.warn(f"Cached pixels are decoded again: {error}", stacklevel=2)
            if root != upstream:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        if root != upstream:
            mark_used(folder)
        return found
    return None


def _decode_all(encoded: EncodedImages, size: tuple[int, int]) -> DecodedImages:
    """Decodes the very bytes that the fingerprint is of: a file that changed since must not pass for the one before."""
    pixels, content = empty_canvases(len(encoded), size), ContentHash(encoded.targets, encoded.class_names)
    workers = cores()
    held = workers * CHUNK
    for begin in range(0, len(encoded), held):
        sources = [read_bytes(encoded.blobs, row) for row in range(begin, min(begin + held, len(encoded)))]
        for source in sources:
            content.add(source)

        def fill(first: int, last: int, begin: int = begin, sources: list[bytes] = sources) -> None:
            for place in range(first, last):
                image = decode(sources[place], where=encoded.blobs.where(begin + place), decoder=encoded.decoder)
                if tuple(image.shape[1:]) != size:
                    raise _SizesDifferError(begin + place, (image.shape[1], image.shape[2]))
                pixels[begin + place].copy_(image)

        in_chunks(len(sources), fill, workers=workers)
    if encoded.decoder.sign(content.hexdigest()) != encoded.fingerprint:
        raise DataError(
            f"The images from {encoded.blobs.where(0)} on changed while they were read: nothing that was made of them "
            "is kept. Run again when the files are complete."
        )
    return DecodedImages(pixels, encoded.targets, encoded.class_names, encoded.fingerprint)


def keep_pixels(decoded: DecodedImages, cache_folder: Path | None) -> DecodedImages:
    """Stores the pixels and returns them memory-mapped; returns them as they are where nothing can be stored."""
    if cache_folder is None:
        return decoded
    final = _find_folder(decoded.fingerprint, cache_folder)
    try:
        if not can_keep(cache_folder, _KIND):
            return decoded
        with new_folder(final) as making:
            tensors = {"pixels": decoded.pixels.permute(0, 2, 3, 1), "targets": decoded.targets}
            write_tensors(making / _FILE, tensors, {"class_names": json.dumps(decoded.class_names)})
        return _map(final, decoded.fingerprint)
    except (StorageError, DamagedError) as error:
        # A full disk, for one: the pixels in memory serve as well.
        warnings.warn(f"Decoded pixels are not kept for the next process: {error}", stacklevel=2)
        return decoded


def _map(folder: Path, fingerprint: str) -> DecodedImages:
    from safetensors import safe_open

    with safe_open(folder / _FILE, framework="pt") as file:
        class_names = json.loads(file.metadata()["class_names"])
        pixels = file.get_tensor("pixels").permute(0, 3, 1, 2)
        return DecodedImages(pixels, file.get_tensor("targets"), class_names, fingerprint)


def _find_folder(fingerprint: str, cache_folder: Path) -> Path:
    # Another release of Pillow may bring another JPEG decoder: its pixels are another artefact.
    key = {"images": fingerprint, "revision": DECODE_REVISION, "pillow": PIL.__version__}
    return cache_folder / _KIND / digest(key)
