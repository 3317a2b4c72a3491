"""Which files are images, and why one cannot be decoded."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from PIL import Image

from rethinkdc.files.first_bytes import LFS, count_bytes, name_foreign, read_start
from rethinkdc.storage import check_regular

_FORMATS = (
    "AVIF",
    "BMP",
    "DIB",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "MPO",
    "PCX",
    "PNG",
    "PPM",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
)
"""Formats of pictures. Of others that Pillow knows some start programs (EPS), some are films, some need a library."""

PIXELS_VARIABLE = "RETHINKDC_MAX_PIXELS"
"""The environment's word for the most pixels of one image."""
_ALWAYS = 1 << 23
"""Pixels that any file may have; larger images have a byte for so many pixels as stands below, also of one colour."""
_PER_BYTE = 200

_SILENT = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
"""Pillow warns of tags that cameras damaged, without the name of the file; what cannot be decoded is an error."""

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_BLANK = ord(" ")


@lru_cache(maxsize=1)
def image_endings() -> frozenset[str]:
    """Endings, in lower case and with their dot, of the files that can be decoded."""
    endings = Image.registered_extensions()
    return frozenset(end for end, known in endings.items() if known in image_formats())


@lru_cache(maxsize=1)
def image_formats() -> tuple[str, ...]:
    """Formats that can be decoded: a file's bytes choose among these parsers and no others, whatever its name says."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def open_image(source: bytes | Path) -> Iterator[Image.Image]:
    """An encoded image whose header is read, and nothing more.

    Raises:
        OSError: the file is missing, no regular one, or no image of :func:`image_formats`; Pillow raises others too.
        PIL.Image.DecompressionBombError: it claims more pixels than are read.
    """
    size = len(source) if isinstance(source, bytes) else check_regular(source)
    if _SILENT not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")
    held = io.BytesIO(source) if isinstance(source, bytes) else _Clipped(source, size)
    with held, Image.open(held, formats=image_formats()) as image:
        if image.width * image.height > most_pixels(size):
            raise Image.DecompressionBombError(f"{image.width} x {image.height} px in {size:,} bytes")
        yield image


class _Clipped(io.BufferedReader):
    """A file of which no more is asked for than it has: a header may claim any number of bytes."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(io.FileIO(path))
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, max(0, self._size - self.tell())))


def most_pixels(size: int) -> int:
    """Pixels that an image file of so many bytes may have; what the environment says holds for all."""
    most = 2 * (Image.MAX_IMAGE_PIXELS or 1 << 62)
    return most if PIXELS_VARIABLE in os.environ else min(most, max(_ALWAYS, _PER_BYTE * size))


def explain_undecodable(source: bytes | Path) -> str:
    """Why an encoded image cannot be decoded, as far as its first bytes say."""
    start = source[:32] if isinstance(source, bytes) else read_start(source)
    size = len(source) if isinstance(source, bytes) else count_bytes(source)
    if size == 0:
        return "The file is empty (0 bytes)."
    if start.startswith(LFS):
        return "The file is a pointer of Git LFS, not the image: run `git lfs pull` where it was cloned."
    if foreign := name_foreign(start.lstrip()):
        return f"The file is no image but a {foreign}."
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC:
        return "The file is a HEIC photograph, which is not read here: convert it to JPEG or PNG."
    if start.isascii() and all(character >= _BLANK or chr(character).isspace() for character in start):
        return f"The file is text and no image; it begins with {start.decode()!r}."
    return "The file is damaged, incomplete, or no image."


def read_size(source: bytes | Path) -> tuple[int, int] | None:
    """Width and height by an image's header, also where Pillow refuses to open an image of that many pixels."""
    start = source[:32] if isinstance(source, bytes) else read_start(source)
    for name in image_formats():
        reader, accepts = Image.OPEN[name]
        if accepts is not None and accepts(start) is True:
            try:
                with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
                    return reader(file, "").size
            except Exception:  # Pillow's parsers raise almost anything
                return None
    return None
