from __future__ import annotations

import io
import os
import struct
import subprocess
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rethinkdc.data import decode
from rethinkdc.data.decode import PIXELS_VARIABLE, raise_limit
from rethinkdc.data.image_files import image_endings, image_formats
from rethinkdc.errors import DataError, RequestError


def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def pixel_values(content: bytes) -> list[list[int]]:
    """The RGB triples of an image, in reading order."""
    pixels = decode(content, where="here")
    assert pixels.dtype == torch.uint8
    return pixels.permute(1, 2, 0).reshape(-1, 3).tolist()


def test_an_rgb_image_keeps_its_pixels_from_bytes_and_from_a_path(tmp_path: Path) -> None:
    values = noise(5, 7, 3)
    content = encoded(Image.fromarray(values))
    (tmp_path / "a.png").write_bytes(content)
    expected = torch.from_numpy(values).permute(2, 0, 1)
    assert torch.equal(decode(content, where="here"), expected)
    assert torch.equal(decode(tmp_path / "a.png", where="here"), expected)


def test_pixels_lie_channels_last() -> None:
    assert decode(encoded(Image.fromarray(noise(5, 7, 3))), where="here").permute(1, 2, 0).is_contiguous()


def test_grey_is_repeated_over_the_channels() -> None:
    assert pixel_values(encoded(Image.fromarray(np.array([[0, 77, 255]], np.uint8)))) == [
        [0, 0, 0],
        [77, 77, 77],
        [255, 255, 255],
    ]


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert pixel_values(encoded(image)) == [[0, 0, 0], [255, 255, 255]]


def test_a_palette_is_expanded() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert pixel_values(encoded(image)) == [[10, 20, 30], [200, 100, 50]]


def test_a_transparent_palette_entry_shows_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert pixel_values(encoded(image, transparency=0)) == [[255, 255, 255], [200, 100, 50]]


def test_a_transparent_colour_of_an_rgb_image_shows_white() -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert pixel_values(encoded(image, transparency=(1, 2, 3))) == [[255, 255, 255], [4, 5, 6]]


def test_alpha_is_composited_over_white() -> None:
    image = Image.fromarray(np.array([[[9, 8, 7, 0], [9, 8, 7, 255], [0, 0, 0, 128]]], np.uint8), "RGBA")
    assert pixel_values(encoded(image)) == [[255, 255, 255], [9, 8, 7], [127, 127, 127]]


def test_grey_with_alpha_is_composited_over_white() -> None:
    image = Image.merge("LA", [Image.new("L", (1, 1), 40), Image.new("L", (1, 1), 0)])
    assert pixel_values(encoded(image)) == [[255, 255, 255]]


def test_cmyk_becomes_the_colour_it_prints() -> None:
    image = Image.new("CMYK", (1, 1), (0, 255, 255, 0))
    assert pixel_values(encoded(image, "TIFF")) == [[255, 0, 0]]


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_rounded_not_clipped(image_format: str) -> None:
    image = Image.fromarray(np.array([[0, 128, 129, 257, 30000, 65535]], np.uint16))
    # 128 / 257 = 0.498, 129 / 257 = 0.502, 30000 / 257 = 116.7
    assert [value for value, _, _ in pixel_values(encoded(image, image_format))] == [0, 0, 1, 1, 117, 255]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_defined_range_are_refused(dtype: type) -> None:
    content = encoded(Image.fromarray(np.zeros((2, 2), dtype)), "TIFF")
    with pytest.raises(DataError, match="no defined range"):
        decode(content, where="here")


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, [[1, 2], [3, 4]]), (3, [[4, 3], [2, 1]]), (6, [[3, 1], [4, 2]]), (8, [[2, 4], [1, 3]])],
)
def test_exif_orientation_is_applied(orientation: int, expected: list[list[int]]) -> None:
    image = Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decode(encoded(image, exif=exif), where="here")[0].tolist() == expected


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_truncated_file_is_an_error_naming_it(image_format: str) -> None:
    content = encoded(Image.fromarray(noise(64, 64, 3)), image_format)
    with pytest.raises(DataError, match="row 7 of the train split"):
        decode(content[: len(content) // 2], where="row 7 of the train split")


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_bytes_that_are_no_image_are_an_error_naming_them(content: bytes) -> None:
    with pytest.raises(DataError, match="row 3"):
        decode(content, where="row 3")


def test_a_missing_file_is_an_error_naming_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="FileNotFoundError"):
        decode(tmp_path / "gone.png", where="gone.png")


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At most 20 pixels, until the environment says otherwise."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    raise_limit.cache_clear()
    yield
    raise_limit.cache_clear()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_of_too_many_pixels_is_named_with_its_size_the_limit_and_how_to_raise_it(
    image_format: str, small_limit: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = encoded(Image.fromarray(noise(8, 7, 3)), image_format)
    path = tmp_path / "large"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(
            DataError, match=r"at row 3 is too large: 7 x 8 px are 56 pixels, and the limit is 20 for .*=56"
        ):
            decode(source, where="row 3")
    monkeypatch.setenv(PIXELS_VARIABLE, "56")
    raise_limit.cache_clear()
    assert decode(content, where="row 3").shape == (3, 8, 7)


@pytest.mark.parametrize("given", ["many", "0", "-3", "1e9", "9" * 19])
def test_a_limit_that_is_no_number_is_refused(given: str, small_limit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIXELS_VARIABLE, given)
    with pytest.raises(RequestError, match=f"{PIXELS_VARIABLE} must be a positive number of pixels, found '{given}'"):
        decode(b"", where="row 3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"The file is empty \(0 bytes\)"),
        (b"%PDF-1.7 and more", "The file is no image but a PDF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"\x89PNG cut off", "The file is damaged, incomplete, or no image"),
        (b"\n\n <!DOCTYPE html>", "The file is no image but a page of HTML"),
        (b'{"error": "not found"}', r"The file is text and no image; it begins with '\{\"error\""),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "The file is a HEIC photograph, which is not read here: convert it"),
    ],
)
def test_the_first_bytes_say_why_an_image_cannot_be_decoded(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(DataError, match=message):
            decode(source, where="row 3")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("by", ["bytes", "path"])
def test_bytes_choose_no_parser_that_starts_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    def start(*_: object, **__: object) -> None:
        pytest.fail("a program was started")

    monkeypatch.setattr(subprocess, "check_call", start)
    monkeypatch.setattr(subprocess, "Popen", start)
    (tmp_path / "a.png").write_bytes(EPS)
    with pytest.raises(DataError, match="Cannot decode the image at here"):
        decode(EPS if by == "bytes" else tmp_path / "a.png", where="here")


def test_formats_are_those_of_pictures() -> None:
    assert {"PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"} <= set(image_formats())
    assert not {"EPS", "FLI", "MPEG", "WMF", "PSD", "IPTC", "FITS", "HDF5", "GRIB", "BUFR"} & set(image_formats())
    assert not {".eps", ".ps", ".fli", ".wmf"} & image_endings()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "a.png"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="It is no regular file"):
        decode(pipe, where="here")


def _claiming(width: int, height: int) -> bytes:
    """A PNG of one row of zeros that says that it has more."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99))]
    written = [
        len(one).to_bytes(4, "big") + kind + one + zlib.crc32(kind + one).to_bytes(4, "big") for kind, one in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize(
    ("width", "height"), [(10_000, 9_000), (13_000, 13_000), (2**31 - 1, 2**31 - 1), (40_000, 1_000)]
)
@pytest.mark.filterwarnings("error")
def test_a_small_file_that_claims_a_large_image_is_refused_by_its_header(
    width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_limit.cache_clear()
    (tmp_path / "bomb.png").write_bytes(_claiming(width, height))
    for source in (tmp_path / "bomb.png", _claiming(width, height)):
        with pytest.raises(DataError, match=rf"{width} x {height} px are .*RETHINKDC_MAX"):
            decode(source, where="bomb.png")


def test_a_large_image_of_one_colour_is_read() -> None:
    held = io.BytesIO()
    Image.new("RGB", (3500, 3000), "white").save(held, "JPEG")
    assert decode(held.getvalue(), where="it").shape == (3, 3000, 3500)


def test_damaged_tags_beside_the_pixels_are_no_matter(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    held = io.BytesIO()
    Image.fromarray(noise(8, 7, 3)).save(held, "JPEG", exif=exif)
    content = held.getvalue().replace(b"\x01\x0f", b"\x01\x12").replace(b"a camera", b"\xff" * 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", append=True)
        assert decode(content, where="it").shape == (3, 8, 7)


def test_a_box_that_claims_more_than_the_file_has_asks_for_no_memory(tmp_path: Path) -> None:
    held = io.BytesIO()
    Image.fromarray(noise(8, 7, 3)).save(held, "JPEG2000")
    place = held.getvalue().index(b"jp2h") - 4
    content = held.getvalue()[:place] + b"\0\0\0\1jp2h" + (2**62).to_bytes(8, "big") + held.getvalue()[place + 8 :]
    (tmp_path / "a.jp2").write_bytes(content)
    for source in (content, tmp_path / "a.jp2"):
        with pytest.raises(DataError, match="Cannot decode"):
            decode(source, where="a.jp2")
