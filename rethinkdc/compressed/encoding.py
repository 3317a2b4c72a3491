"""Canvases as image files, and the bytes that these take."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from rethinkdc.compressed.set import CompressedSet
from rethinkdc.data.blobs import HeldBlobs
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.types import Fit, Interpolation

JPEG_QUALITY = 75
ROWS = 512
"""Canvases that are encoded at a time: nothing else grows with their number."""
_THREADS = 4


def image_bytes(
    compressed: CompressedSet, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
) -> dict[str, int | None]:
    """Bytes of the images as lossless PNG, as JPEG of quality 75, and as a recipe of rows and boxes.

    The recipe exists where every cell shows a training image: 8 bytes for the row and 16 for the box of each cell.
    """
    stored = lossy = 0
    for rows in torch.arange(len(compressed)).split(ROWS):
        canvases = compressed.canvases(rows, size, fit, interpolation)
        stored += sum(map(len, encode(canvases, "PNG")))
        lossy += sum(map(len, encode(canvases, "JPEG", quality=JPEG_QUALITY)))
    real = bool((compressed.sources >= 0).all())
    return {"stored": stored, "lossy": lossy, "recipe": compressed.sources.numel() * 24 if real else None}


def with_files(compressed: CompressedSet, size: int) -> CompressedSet:
    """The set with its images as files: those that it was read from, else lossless PNG of ``size`` px.

    Its fingerprint is that of the set as it is read back from these files.
    """
    if isinstance(compressed.backing, EncodedImages) and compressed.rows is None:
        return compressed
    contents = list(encode_rows(compressed, size))
    files = EncodedImages(HeldBlobs(contents, "the set"), compressed.targets, compressed.class_names)
    return replace(compressed, backing=files, rows=None, size=size)


def read_files(compressed: CompressedSet) -> Iterator[bytes]:
    """The files of a set that :func:`with_files` gave, in row order."""
    assert isinstance(compressed.backing, EncodedImages)
    for row in range(len(compressed)):
        source = compressed.backing.blobs.read(row)
        yield source if isinstance(source, bytes) else source.read_bytes()


def encode_rows(
    compressed: CompressedSet, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
) -> Iterator[bytes]:
    """Each canvas of a set as lossless PNG of ``size`` px, in row order."""
    for rows in torch.arange(len(compressed)).split(ROWS):
        yield from encode(compressed.canvases(rows, size, fit, interpolation), "PNG")


def encode(canvases: Tensor, codec: str, **options: Any) -> list[bytes]:
    """Encodes canvases uint8 [M, 3, S, S] as Pillow's ``codec`` with its options, several at a time."""

    def encode_one(image: Tensor) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image.numpy()).save(buffer, codec, **options)
        return buffer.getvalue()

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(encode_one, canvases.permute(0, 2, 3, 1).contiguous()))
