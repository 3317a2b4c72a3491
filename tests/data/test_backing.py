"""Decoded and encoded images, what chooses between them, rows of them, and stores over them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rethinkdc.data import CHUNK, CanvasStore, DecodedImages, EncodedImages, NativeStore, RowsOf, choose_backing, resize
from rethinkdc.data.chunks import in_chunks
from rethinkdc.errors import DataError, RequestError
from rethinkdc.types import Fit, Images, Interpolation

NAMES = ("ant", "bee")


class Bytes:
    """Encoded files in a list; counts what is read."""

    def __init__(self, files: list[bytes]) -> None:
        self.files = files
        self.read_rows: list[int] = []

    def __len__(self) -> int:
        return len(self.files)

    def read(self, row: int) -> bytes | Path:
        self.read_rows.append(row)
        return self.files[row]

    def where(self, row: int) -> str:
        return f"row {row} of the list"


def encoded_images(count: int = 2 * CHUNK + 3, sizes: tuple[tuple[int, int], ...] = ((12, 10),)) -> EncodedImages:
    draws = np.random.default_rng(3)
    files = []
    for row in range(count):
        file = io.BytesIO()
        height, width = sizes[row % len(sizes)]
        Image.fromarray(draws.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(file, "JPEG")
        files.append(file.getvalue())
    return EncodedImages(Bytes(files), torch.arange(count) % 2, NAMES)


def decoded_of(images: EncodedImages, cache: Path | None = None) -> DecodedImages:
    decoded = choose_backing(images, cache)
    assert isinstance(decoded, DecodedImages)
    return decoded


def test_all_kinds_are_images() -> None:
    encoded = encoded_images(4)
    for images in (encoded, decoded_of(encoded), RowsOf(encoded, torch.tensor([1]))):
        assert isinstance(images, Images)


@pytest.mark.parametrize("fit", ["squash", "centre"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [5, 12, 16])
def test_decoded_and_encoded_backings_give_the_same_bits(fit: Fit, interpolation: Interpolation, size: int) -> None:
    encoded = encoded_images()
    decoded = decoded_of(encoded)
    rows = torch.randperm(len(encoded), generator=torch.Generator().manual_seed(0))
    ours, theirs = (images.canvases(rows, size, fit, interpolation) for images in (decoded, encoded))
    assert torch.equal(ours, theirs)
    assert ours.permute(0, 2, 3, 1).is_contiguous()
    assert theirs.permute(0, 2, 3, 1).is_contiguous()
    assert all(torch.equal(a, b) for a, b in zip(decoded.native(rows), encoded.native(rows), strict=True))
    assert decoded.fingerprint == encoded.fingerprint
    assert torch.equal(decoded.targets, encoded.targets)


def test_canvases_follow_the_rows_asked_for() -> None:
    encoded = encoded_images(6, sizes=((12, 10), (9, 14)))
    rows = torch.tensor([4, 1, 1])
    expected = resize([encoded.decoded(row) for row in (4, 1, 1)], (7, 7))
    assert torch.equal(encoded.canvases(rows, 7), expected)
    assert encoded.canvases(torch.tensor([], dtype=torch.int64), 7).shape == (0, 3, 7, 7)


def test_canvases_of_encoded_images_hold_one_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encoded_images()
    asked: list[int] = []
    native = EncodedImages.native

    def counted(self: EncodedImages, rows: Tensor) -> list[Tensor]:
        asked.append(len(rows))
        return native(self, rows)

    monkeypatch.setattr(EncodedImages, "native", counted)
    encoded.canvases(torch.arange(len(encoded)), 4)
    assert asked == [CHUNK, CHUNK, 3]


def test_native_pixels_of_decoded_images_are_copies() -> None:
    decoded = decoded_of(encoded_images(4))
    before = decoded.pixels.clone()
    decoded.native(torch.tensor([0]))[0].zero_()
    decoded.canvases(torch.tensor([0]), 12).zero_()
    assert torch.equal(decoded.pixels, before)


def test_images_of_different_sizes_stay_encoded_after_the_first_mismatch() -> None:
    encoded = encoded_images(500, sizes=((12, 10), (9, 14)))
    blobs = encoded.blobs
    assert isinstance(blobs, Bytes)
    blobs.read_rows.clear()
    assert choose_backing(encoded) is encoded
    assert len(blobs.read_rows) < 400  # two chunks on two threads at the most, not every image


def test_images_over_the_limit_stay_encoded() -> None:
    encoded = encoded_images(10)
    assert choose_backing(encoded, limit_bytes=10 * 3 * 12 * 10 - 1) is encoded
    assert isinstance(choose_backing(encoded, limit_bytes=10 * 3 * 12 * 10), DecodedImages)
    assert isinstance(choose_backing(encoded, limit_bytes=1, backing="decoded"), DecodedImages)
    assert choose_backing(encoded, backing="encoded") is encoded


def test_asking_for_the_decoded_backing_of_different_sizes_names_both_images() -> None:
    with pytest.raises(DataError, match=r"row 0 of the list is 12 x 10 and row 1 of the list is 9 x 14"):
        choose_backing(encoded_images(4, sizes=((12, 10), (9, 14))), backing="decoded")


def test_cached_pixels_are_mapped_and_nothing_is_decoded_again(tmp_path: Path) -> None:
    encoded = encoded_images()
    first = decoded_of(encoded, tmp_path)
    blobs = encoded.blobs
    assert isinstance(blobs, Bytes)
    blobs.read_rows.clear()
    second = decoded_of(encoded, tmp_path)
    assert blobs.read_rows == []
    assert torch.equal(first.pixels, second.pixels)
    assert torch.equal(second.pixels, decoded_of(encoded).pixels)
    assert (second.class_names, second.fingerprint) == (NAMES, encoded.fingerprint)


def test_damaged_cached_pixels_are_reported_and_decoded_again(tmp_path: Path) -> None:
    encoded = encoded_images(5)
    expected = decoded_of(encoded, tmp_path).pixels.clone()
    (file,) = tmp_path.rglob("images.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 255
    file.unlink()
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="checksum"):
        assert torch.equal(decoded_of(encoded, tmp_path).pixels, expected)
    assert torch.equal(decoded_of(encoded, tmp_path).pixels, expected)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert len(decoded_of(encoded_images(5), blocked)) == 5


def test_a_damaged_image_is_named_by_every_way_of_reading_it() -> None:
    encoded = encoded_images(300)
    blobs = encoded.blobs
    assert isinstance(blobs, Bytes)
    blobs.files[211] = blobs.files[211][:100]
    for read in (
        lambda: choose_backing(encoded),
        lambda: encoded.canvases(torch.arange(300), 4),
        lambda: encoded.native(torch.tensor([211])),
        lambda: CanvasStore(encoded, 4, workers=2),
    ):
        with pytest.raises(DataError, match="row 211 of the list"):
            read()


@pytest.mark.parametrize(
    ("pixels", "targets", "found"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64), "float32"),
        (torch.zeros(2, 4, 4, 3, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), r"\[2, 4, 4, 3\]"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), r"\[3\]"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2), "float32"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 2]), "Row 1 has the class index 2"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([-1, 0]), "Row 0 has the class index -1"),
    ],
)
def test_wrong_tensors_are_refused_with_what_was_found(pixels: Tensor, targets: Tensor, found: str) -> None:
    with pytest.raises(DataError, match=found):
        DecodedImages(pixels, targets, NAMES)


def test_a_fingerprint_follows_the_content() -> None:
    pixels = torch.randint(0, 256, (4, 3, 5, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    targets = torch.tensor([0, 1, 0, 1])
    base = DecodedImages(pixels, targets, NAMES).fingerprint
    assert base == DecodedImages(pixels.contiguous(memory_format=torch.channels_last), targets, NAMES).fingerprint
    changed = pixels.clone()
    changed[3, 2, 4, 4] ^= 1
    others: list[Images] = [
        DecodedImages(changed, targets, NAMES),
        DecodedImages(pixels, 1 - targets, NAMES),
        DecodedImages(pixels, targets, ("ant", "wasp")),
        DecodedImages(pixels.flip(0), targets, NAMES),
        RowsOf(DecodedImages(pixels, targets, NAMES), torch.arange(4)),
    ]
    assert len({base, *(images.fingerprint for images in others)}) == 6


def test_an_encoded_fingerprint_sees_where_one_file_ends_and_the_next_begins() -> None:
    targets = torch.tensor([0, 1])
    split_early, split_late = (EncodedImages(Bytes(files), targets, NAMES) for files in ([b"a", b"bc"], [b"ab", b"c"]))
    assert split_early.fingerprint != split_late.fingerprint


def test_rows_of_images_are_those_rows() -> None:
    encoded = encoded_images(10)
    some = RowsOf(encoded, torch.tensor([7, 2, 2]))
    assert len(some) == 3
    assert some.targets.tolist() == [1, 0, 0]
    assert torch.equal(some.canvases(torch.tensor([2, 0]), 6), encoded.canvases(torch.tensor([2, 7]), 6))
    assert torch.equal(some.native(torch.tensor([0]))[0], encoded.decoded(7))
    assert some.fingerprint != RowsOf(encoded, torch.tensor([2, 7, 2])).fingerprint
    with pytest.raises(RequestError, match=r"0\.\.9"):
        RowsOf(encoded, torch.tensor([10]))
    with pytest.raises(RequestError, match="bool"):
        RowsOf(encoded, torch.ones(10, dtype=torch.bool))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_canvas_store_gives_canvases_whether_they_fit_or_not(workers: int) -> None:
    encoded = encoded_images()
    rows = torch.tensor([5, 0, 130, 5])
    expected = encoded.canvases(rows, 8)
    whole = CanvasStore(encoded, 8, workers=workers)
    streamed = CanvasStore(encoded, 8, workers=workers, limit_bytes=100)
    assert whole.pixels is not None
    assert whole.pixels.permute(0, 2, 3, 1).is_contiguous()
    assert streamed.pixels is None
    for store in (whole, streamed):
        assert len(store) == len(encoded)
        assert torch.equal(torch.stack(list(store.fetch(rows))), expected)


def test_stores_over_decoded_images_of_the_size_copy_nothing() -> None:
    images = DecodedImages(torch.zeros(3, 3, 6, 6, dtype=torch.uint8), torch.tensor([0, 1, 0]), NAMES)
    for store in (CanvasStore(images, 6, limit_bytes=0), NativeStore(images)):
        assert store.pixels is images.pixels
        assert store.fetch(torch.tensor([1]))[0].data_ptr() == images.pixels[1].data_ptr()


def test_a_native_store_keeps_original_sizes() -> None:
    encoded = encoded_images(4, sizes=((12, 10), (9, 14)))
    store = NativeStore(encoded)
    assert store.pixels is None
    assert [tuple(image.shape) for image in store.fetch(torch.tensor([1, 0]))] == [(3, 9, 14), (3, 12, 10)]


@pytest.mark.parametrize("workers", [0, 3])
def test_chunks_cover_every_row_once(workers: int) -> None:
    seen = torch.zeros(103, dtype=torch.int64)

    def mark(first: int, last: int) -> None:
        assert 0 < last - first <= 10
        seen[first:last] += 1

    in_chunks(103, mark, workers=workers, chunk=10)
    assert (seen == 1).all()


def test_the_first_error_in_row_order_is_raised_and_later_work_is_dropped() -> None:
    done: list[int] = []
    guard = threading.Lock()

    def work(first: int, last: int) -> None:
        if first in (20, 30):
            raise ValueError(str(first))
        with guard:
            done.append(first)
        if first > 30:
            threading.Event().wait(0.02)

    with pytest.raises(ValueError, match="20"):
        in_chunks(10_000, work, workers=2, chunk=10)
    assert len(done) < 900


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import json, sys, rethinkdc.data; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules = json.loads(output)
    assert "rethinkdc.layouts.hub" not in modules
    assert not {"datasets", "sklearn", "pyarrow", "torchvision"} & set(modules)
