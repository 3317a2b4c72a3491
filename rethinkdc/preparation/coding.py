"""How one image is stored: its own bytes, or resized and encoded anew, with what that lost."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rethinkdc.data.decode import decode, raise_limit
from rethinkdc.data.image_files import open_image
from rethinkdc.data.resize import resize
from rethinkdc.errors import DataError
from rethinkdc.layouts.prepared import Recipe
from rethinkdc.storage import read_regular

Source: TypeAlias = bytes | Path | NDArray[np.uint8]
"""An encoded image, the file of one, or pixels uint8 [h, w, 3]."""
REDUCING_GAP = 2
"""Scaled decoding leaves so many times the short side for the resize, as Pillow's thumbnails do."""


class Coded(NamedTuple):
    """A stored image.

    Attributes:
        content: its bytes.
        source_size: bytes in the source.
        resized: whether these are others.
        squared_error: mean over pixels in 0..255, against the image decoded in full and only resized; None = not taken.
    """

    content: bytes
    source_size: int
    resized: bool
    squared_error: float | None = None


def code_image(source: Source, recipe: Recipe, *, where: str, measure: bool) -> Coded:
    """Stores one image as a recipe says. Images that are small enough keep their bytes.

    Args:
        source: the image.
        recipe: the short side, the codec, and how the source is decoded.
        where: names the image in errors.
        measure: whether to measure what was lost.

    Raises:
        DataError: it cannot be read, or cannot be decoded where it must be.
    """
    content = source if isinstance(source, np.ndarray) else _read(source, where)
    size = content.nbytes if isinstance(content, np.ndarray) else len(content)
    if recipe.short_side is None or _short_side(content, where) <= recipe.short_side:
        return Coded(_encode_array(content) if isinstance(content, np.ndarray) else content, size, resized=False)
    decoded = _decode(content, recipe, where)
    resized = _shorten(decoded, recipe.short_side)
    coded = _encode(resized, recipe)
    error = None
    if measure:
        whole = _decode(content, Recipe(dataset=recipe.dataset), where)
        error = _squared_error(_shorten(whole, recipe.short_side), decode(coded, where=where))
    return Coded(coded, size, resized=True, squared_error=error)


def _read(source: bytes | Path, where: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return read_regular(source)
    except OSError as error:
        raise DataError(
            f"Cannot read the image at {where}: {error}. Restore the file and run the same command again; shards that "
            "are whole are kept."
        ) from error


def _short_side(content: bytes | NDArray[np.uint8], where: str) -> int:
    if isinstance(content, np.ndarray):
        return int(min(content.shape[:2]))
    raise_limit()
    try:
        with open_image(content) as image:
            return min(image.size)
    except Exception:  # Pillow's parsers raise almost anything; decoding says what is wrong
        return min(decode(content, where=where).shape[1:])


def _decode(content: bytes | NDArray[np.uint8], recipe: Recipe, where: str) -> Tensor:
    """Uint8 [3, h, w]."""
    if isinstance(content, np.ndarray):
        import torch

        return torch.from_numpy(content.copy()).permute(2, 0, 1)
    at_least = REDUCING_GAP * recipe.short_side if recipe.scaled and recipe.short_side else None
    return decode(content, where=where, decoder=recipe.decoder, at_least=at_least)


def _shorten(image: Tensor, short_side: int) -> Tensor:
    """Resizes the shorter side, aspect kept; the longer one is rounded down, as torchvision does."""
    height, width = image.shape[1:]
    shorter = min(height, width)
    size = (max(1, height * short_side // shorter), max(1, width * short_side // shorter))
    return resize(image[None], size)[0]


def _encode(image: Tensor, recipe: Recipe) -> bytes:
    array = image.permute(1, 2, 0).numpy()
    return _encode_array(array) if recipe.codec == "png" else _save(array, "JPEG", quality=recipe.quality)


def _encode_array(array: NDArray[np.uint8]) -> bytes:
    return _save(array, "PNG")


def _save(array: NDArray[np.uint8], image_format: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, image_format, **options)
    return file.getvalue()


def _squared_error(expected: Tensor, found: Tensor) -> float:
    return float((expected.float() - found.float()).square().mean())
