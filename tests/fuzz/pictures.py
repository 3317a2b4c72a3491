"""Image files of every format that is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import torch
from PIL import Image
from torch import Tensor

from rethinkdc.data.decode import decode
from rethinkdc.data.image_files import explain_undecodable, image_formats
from tests.fuzz.harness import Parser
from tests.fuzz.mutation import mutate_both, mutate_bytes, mutate_png

SIDE = 9
_MODES = {
    "PNG": ("RGB", "L", "P", "RGBA", "LA", "1", "I;16"),
    "JPEG": ("RGB", "L", "CMYK"),
    "GIF": ("P", "L"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "1"),
    "TIFF": ("RGB", "I;16", "CMYK", "LA"),
    "PPM": ("RGB", "L"),
    "ICO": ("RGBA",),
    "JPEG2000": ("RGB",),
    "AVIF": ("RGB",),
}
"""What is written of each; of other formats, RGB."""


@cache
def picture(mode: str) -> Image.Image:
    """Noise, the same each time."""
    draw = Random(mode)
    rgb = Image.frombytes("RGB", (SIDE, SIDE), draw.randbytes(3 * SIDE * SIDE))
    return rgb.convert("L").convert("I;16") if mode == "I;16" else rgb.convert(mode)


def encoded(kind: str) -> list[bytes]:
    """Files of one format, of several modes, also with what cameras write beside the pixels."""
    files = []
    for mode in _MODES.get(kind, ("RGB",)):
        held = io.BytesIO()
        picture(mode).save(held, kind)
        files.append(held.getvalue())
    if kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        held, exif = io.BytesIO(), Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "a camera"
        picture("RGB").save(held, kind, exif=exif)
        files.append(held.getvalue())
    return files


def _seeds(kind: str) -> Callable[[], list[bytes]]:
    return cache(lambda: encoded(kind))


def _from_bytes(path: Path) -> Tensor:
    return decode(path.read_bytes(), where=str(path))


def _from_path(path: Path) -> Tensor:
    return decode(path, where=str(path))


def _is_picture(path: Path, value: Tensor) -> None:
    assert value.dtype == torch.uint8
    assert value.ndim == 3
    assert value.shape[0] == 3
    assert value.numel()
    assert torch.equal(value, _from_bytes(path))
    assert explain_undecodable(path)


KINDS = [kind for kind in image_formats() if kind in Image.SAVE and kind not in ("MPO", "DIB")]

PARSERS = tuple(
    Parser(
        f"image {kind}",
        "image.bin",
        _seeds(kind),
        _from_path if place % 2 else _from_bytes,
        mutate_both(mutate_png, mutate_bytes) if kind == "PNG" else mutate_bytes,
        _is_picture,
    )
    for place, kind in enumerate(KINDS)
)
