"""Encoded image bytes to RGB pixels: the one place where an image file becomes a tensor."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from rethinkdc.data.decoders import PILLOW, Decoder, decode_ordinary
from rethinkdc.data.image_files import PIXELS_VARIABLE as PIXELS_VARIABLE
from rethinkdc.data.image_files import explain_undecodable, most_pixels, open_image, read_size
from rethinkdc.errors import DataError, RequestError
from rethinkdc.files.first_bytes import count_bytes
from rethinkdc.storage import read_regular

_DIGITS = 18
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# Formats whose 32-bit integer mode is known to carry 16-bit samples.
_SIXTEEN_BIT_FORMATS = ("PNG", "PPM")


def decode(source: bytes | Path, *, where: str, decoder: Decoder = PILLOW, at_least: int | None = None) -> Tensor:
    """Decodes one image file.

    The pixels are those a person sees: EXIF rotation is applied, transparency is composited over white (a plain
    ``convert("RGB")`` would show whatever colour lies under the transparent pixels), palettes are expanded, CMYK is
    converted, and 16-bit grey is scaled by 1/257 and rounded, not clipped.

    Args:
        source: the encoded bytes, or the path of a file that holds them.
        where: names the image in the error, for example ``"row 7 of the train split of FOLDER"``.
        decoder: of ordinary images; all others are Pillow's.
        at_least: JPEG images are decoded at a half, a quarter or an eighth of their size, by fewer coefficients of
            the cosine transform, where both sides keep as many pixels; None = in full. Other pixels than those of a
            resize.

    Returns:
        uint8 [3, h, w], red first, in channels-last memory.

    Raises:
        DataError: the file is missing, truncated, too large, or no image that can be shown as 8-bit RGB.
        RequestError: the environment's limit of pixels is no positive number.
    """
    raise_limit()
    try:
        if decoder.name != "pillow" and isinstance(source, Path):
            source = read_regular(source)
        with open_image(source) as image:
            whole = image.size
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            if decoder.name != "pillow" and isinstance(source, bytes) and image.size == whole:
                pixels = decode_ordinary(image, source)
                if pixels is not None:
                    return pixels
            image.load()
            rgb = _convert_to_rgb(image)
            (width, height), content = rgb.size, bytearray(rgb.tobytes())
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        found = read_size(source)
        size = len(source) if isinstance(source, bytes) else count_bytes(source) or 0
        told = f"{found[0]} x {found[1]} px are {found[0] * found[1]:,} pixels" if found else str(error)
        raise DataError(
            f"The image at {where} is too large: {told}, and the limit is {most_pixels(size):,} for a file of {size:,} "
            f"bytes. Make it smaller; or, if you trust the file, set {PIXELS_VARIABLE}="
            f"{found[0] * found[1] if found else 'PIXELS'} in the environment."
        ) from error
    except Exception as error:  # PIL's parsers raise almost anything on damaged bytes
        raise DataError(
            f"Cannot decode the image at {where}: {type(error).__name__}: {error}. "
            f"{explain_undecodable(source)} Restore it or remove it and run again."
        ) from error
    return torch.frombuffer(content, dtype=torch.uint8).view(height, width, 3).permute(2, 0, 1)


@lru_cache(maxsize=1)
def raise_limit() -> None:
    """Lets larger images in where the environment says so; Pillow itself refuses them as likely attacks."""
    given = os.environ.get(PIXELS_VARIABLE)
    if given is None:
        return
    if not given.isdecimal() or len(given) > _DIGITS or not int(given):
        raise RequestError(f"{PIXELS_VARIABLE} must be a positive number of pixels, found {given!r}.")
    # Pillow warns above its limit, and refuses above twice as much.
    Image.MAX_IMAGE_PIXELS = -(-int(given) // 2)


def _convert_to_rgb(image: Image.Image) -> Image.Image:
    wide = image.mode.startswith("I")
    if wide:
        image_format = image.format
        ImageOps.exif_transpose(image, in_place=True)
        return _convert_sixteen_bits(image, image_format)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        opaque = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque).convert("RGB")
    if image.mode == "F":
        raise ValueError("float pixels have no defined range")
    # Not copied where it is RGB: the copy takes half as long as decoding.
    return image if image.mode == "RGB" else image.convert("RGB")


def _convert_sixteen_bits(image: Image.Image, image_format: str | None) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if image.mode == "I" and image_format not in _SIXTEEN_BIT_FORMATS:
        raise ValueError(f"32-bit integer pixels of format {image_format} have no defined range")
    eight = ((values + 128) // 257).astype(np.uint8)
    return Image.fromarray(eight).convert("RGB")
