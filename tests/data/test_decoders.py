"""Decoders: which images another library than Pillow decodes, and that its pixels have keys of their own."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from rethinkdc.data import decoders
from rethinkdc.data.backing import choose_backing
from rethinkdc.data.blobs import HeldBlobs
from rethinkdc.data.decode import decode
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.decoders import PILLOW, Decoder, find_decoder
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.errors import DataError, RequestError

THEIRS = Decoder(name="torchcodec", version="0.17.0")


def picture(mode: str = "RGB", size: tuple[int, int] = (61, 47)) -> Image.Image:
    small = np.random.default_rng(3).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def veiled() -> Image.Image:
    image = picture("RGBA")
    image.putalpha(100)
    return image


def deep() -> bytes:
    """A PNG of sixteen bits a channel, 2 x 2 px."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

    head = (2).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    rows = b"".join(b"\0" + bytes(range(20 * row, 20 * row + 12)) for row in (1, 2))
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def commented() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + b'<x tiff:Orientation="6"/>', after_idat=True)
    return info


ORDINARY: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encode(picture(), "JPEG"),
    "JPEG, all colours": lambda: encode(picture(), "JPEG", quality=98, subsampling=0),
    "JPEG, half the colours": lambda: encode(picture(), "JPEG", quality=40, subsampling=1),
    "progressive JPEG": lambda: encode(picture(), "JPEG", progressive=True),
    "PNG": lambda: encode(picture(), "PNG"),
    "WebP": lambda: encode(picture(), "WEBP"),
    "lossless WebP": lambda: encode(picture(), "WEBP", lossless=True),
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "turned JPEG": lambda: encode(picture(), "JPEG", exif=turned()),
    "grey JPEG": lambda: encode(picture("L"), "JPEG"),
    "CMYK": lambda: encode(picture("CMYK"), "JPEG"),
    "PNG with transparency": lambda: encode(veiled(), "PNG"),
    "PNG with one transparent colour": lambda: encode(picture(), "PNG", transparency=(1, 2, 3)),
    "PNG of a palette": lambda: encode(picture("P"), "PNG"),
    "PNG of sixteen bits": deep,
    "turned PNG": lambda: encode(picture(), "PNG", exif=turned()),
    "PNG with words behind its pixels": lambda: encode(picture(), "PNG", pnginfo=commented()),
    "WebP with transparency": lambda: encode(veiled(), "WEBP", lossless=True),
    "film": lambda: encode(picture(), "WEBP", save_all=True, append_images=[picture().rotate(9)]),
    "GIF": lambda: encode(picture(), "GIF"),
}


@pytest.fixture
def black(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchcodec that decodes every image to black."""

    def decode_black(source: bytes) -> Tensor:
        with Image.open(io.BytesIO(source)) as image:
            return torch.zeros(3, image.height, image.width, dtype=torch.uint8)

    monkeypatch.setattr(decoders, "_functions", lambda: dict.fromkeys(("JPEG", "PNG", "WEBP"), decode_black))


@pytest.mark.usefixtures("black")
@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_images_are_the_other_decoder_s(kind: str) -> None:
    source = ORDINARY[kind]()
    assert not decode(source, where="here", decoder=THEIRS).any()
    assert decode(source, where="here").any()


@pytest.mark.usefixtures("black")
@pytest.mark.parametrize("kind", OTHERS)
def test_all_others_are_pillow_s(kind: str) -> None:
    source = OTHERS[kind]()
    assert torch.equal(decode(source, where="here", decoder=THEIRS), decode(source, where="here"))


@pytest.mark.usefixtures("black")
def test_a_file_is_guarded_and_decoded_as_its_bytes_are(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(ORDINARY["JPEG"]())
    assert not decode(tmp_path / "a.jpg", where="a", decoder=THEIRS).any()
    with pytest.raises(DataError, match="Cannot decode the image at b"):
        decode(tmp_path / "b.jpg", where="b", decoder=THEIRS)
    with pytest.raises(DataError, match="too large"):
        decode(encode(Image.new("RGB", (4000, 4000)), "PNG"), where="c", decoder=THEIRS)


def test_what_the_other_refuses_pillow_explains(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: bytes) -> Tensor:
        raise RuntimeError("no")

    monkeypatch.setattr(decoders, "_functions", lambda: {"JPEG": refuse})
    with pytest.raises(DataError, match="truncated"):
        decode(ORDINARY["JPEG"]()[:-200], where="here", decoder=THEIRS)


@pytest.mark.parametrize("kind", ORDINARY)
def test_torchcodec_decodes_ordinary_images_to_the_bits_of_pillow(kind: str) -> None:
    pytest.importorskip("torchcodec")
    source, theirs = ORDINARY[kind](), find_decoder("torchcodec")
    assert torch.equal(decode(source, where="here", decoder=theirs), decode(source, where="here"))
    # Not by way of Pillow.
    direct = decoders.decode_ordinary(Image.open(io.BytesIO(source)), source)
    assert direct is not None
    assert direct.stride() == (1, 61 * 3, 3)


@pytest.mark.usefixtures("black")
def test_pixels_of_one_decoder_are_never_served_for_another_s(tmp_path: Path) -> None:
    blobs = HeldBlobs([encode(picture(), "JPEG"), encode(picture("L"), "JPEG")], "the set")
    targets = torch.tensor([0, 1])
    found: dict[str, DecodedImages] = {}
    newer = Decoder(name="torchcodec", version="0.18.0")
    for decoder in (PILLOW, THEIRS, newer, PILLOW, THEIRS):
        images = EncodedImages(blobs, targets, ("a", "b"), decoder=decoder)
        held = choose_backing(images, tmp_path)
        assert isinstance(held, DecodedImages)
        before = found.setdefault(str(decoder), held)
        assert (held.fingerprint, bool(held.pixels[0].any())) == (before.fingerprint, decoder == PILLOW)
        assert torch.equal(held.pixels, before.pixels)
    assert len({each.fingerprint for each in found.values()}) == 3
    assert found[str(PILLOW)].fingerprint == EncodedImages(blobs, targets, ("a", "b")).fingerprint


@pytest.mark.usefixtures("black")
def test_scaled_decoding_keeps_so_many_pixels_of_both_sides() -> None:
    source = encode(picture(size=(500, 400)), "JPEG")
    shapes = {least: decode(source, where="here", at_least=least).shape[1:] for least in (201, 200, 101, 100, 50, 10)}
    assert shapes == {201: (400, 500), 200: (200, 250), 101: (200, 250), 100: (100, 125), 50: (50, 63), 10: (50, 63)}
    # What is not scaled is the decoder's.
    assert decode(source, where="here", decoder=THEIRS, at_least=200).any()
    assert not decode(source, where="here", decoder=THEIRS, at_least=201).any()
    other = encode(picture(size=(500, 400)), "PNG")
    assert decode(other, where="here", at_least=10).shape[1:] == (400, 500)


def test_a_decoder_that_is_missing_or_broken_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise ModuleNotFoundError("No module named 'torchcodec'")

    def broken() -> Any:
        raise OSError("libtorch.so: undefined symbol")

    monkeypatch.setattr(decoders, "_functions", missing)
    with pytest.raises(RequestError, match=r'is not installed here: pip install "rethinkdc\[torchcodec\]"'):
        find_decoder("torchcodec")
    monkeypatch.setattr(decoders, "_functions", broken)
    with pytest.raises(RequestError, match=r"cannot be loaded \(OSError: libtorch.so: undefined symbol\): pip install"):
        find_decoder("torchcodec")
    assert find_decoder("pillow") == PILLOW


def test_the_version_is_that_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_functions", dict)
    monkeypatch.setattr(decoders, "version", lambda name: "0.17.0" if name == "torchcodec" else "2.14.1")
    assert find_decoder("torchcodec") == THEIRS

    def unknown(name: str) -> str:
        if name == "torchcodec":
            raise PackageNotFoundError(name)
        return "2.14.1"

    monkeypatch.setattr(decoders, "version", unknown)
    with pytest.raises(RequestError, match="is not installed here"):
        find_decoder("torchcodec")
