"""Which library decodes ordinary images, and what of that is part of a fingerprint.

Pillow is the reference: what it decodes is keyed by the encoded bytes alone. Whatever another library decodes is keyed
by that library and its version too, so that pixels of the two are never taken for each other.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import PIL
from PIL import Image
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from rethinkdc.choices import DecoderName
from rethinkdc.errors import RequestError
from rethinkdc.storage import digest

_ORDINARY = {"JPEG": ("RGB",), "PNG": ("RGB",), "WEBP": ("RGB",)}
"""Formats and modes that both libraries decode to the same bits; all others are left to Pillow."""
_TURNS = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "transparency"})
"""What may turn an image, or say which of its pixels are transparent."""
_LATE = (b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"acTL")
"""Chunks of PNG that may lie behind the pixels and say the same, or make it a film."""
_DEPTH, _EIGHT = 24, 8
"""Where PNG says how many bits a channel has."""


class Decoder(BaseModel):
    """A library that decodes images, of one version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: DecoderName = "pillow"
    version: str = PIL.__version__

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def sign(self, content: str) -> str:
        """The fingerprint of images of this content hash that are decoded so."""
        if self.name == "pillow":
            return content
        return digest({"content": content, "decoder": self.name, "version": self.version})


PILLOW = Decoder()


def find_decoder(name: DecoderName) -> Decoder:
    """The decoder of this name that is installed.

    Raises:
        RequestError: it is not, or cannot be loaded.
    """
    if name == "pillow":
        return PILLOW
    try:
        _functions()
        return Decoder(name=name, version=version(name))
    except (ImportError, OSError, RuntimeError) as error:
        missing = isinstance(error, ModuleNotFoundError | PackageNotFoundError)
        why = "is not installed here" if missing else f"cannot be loaded ({type(error).__name__}: {error})"
        raise RequestError(
            f'The decoder {name} {why}: pip install "rethinkdc[torchcodec]", of a release that fits torch '
            f"{version('torch')}; or take --decoder pillow."
        ) from error


def decode_ordinary(image: Image.Image, source: bytes) -> Tensor | None:
    """Decodes an image by torchcodec if it is an ordinary one.

    Args:
        image: whose header Pillow has read.
        source: its encoded bytes.

    Returns:
        uint8 [3, h, w], red first, in channels-last memory; None where Pillow is to decode it, or to say why it cannot.
    """
    if not _is_ordinary(image, source):
        return None
    try:
        pixels: Tensor = _functions()[image.format or ""](source)
    except RuntimeError:
        return None
    return pixels.permute(1, 2, 0).contiguous().permute(2, 0, 1)


def _is_ordinary(image: Image.Image, source: bytes) -> bool:
    """Whether an image, whose header is read, is one that libraries do not differ on."""
    if image.mode not in _ORDINARY.get(image.format or "", ()) or not _TURNS.isdisjoint(image.info):
        return False
    if image.format == "PNG":
        # Sixteen bits are brought to eight in more than one way.
        return source[_DEPTH] == _EIGHT and not any(chunk in source for chunk in _LATE)
    return not getattr(image, "is_animated", False)


@lru_cache(maxsize=1)
def _functions() -> dict[str, Any]:
    from torchcodec.decoders import decode_jpeg, decode_png, decode_webp

    return {"JPEG": decode_jpeg, "PNG": decode_png, "WEBP": decode_webp}
