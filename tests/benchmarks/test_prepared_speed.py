"""Rows per CPU second out of a prepared dataset, beside Pillow and torchvision at full size on the same photographs.

The photographs are crops of scikit-learn's two, resized to 500 x 400 px and written as JPEG of quality 95 without
subsampling: about 105 kB each, as the 110 kB of ImageNet's.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision import io as vision
from torchvision import transforms
from torchvision.transforms import v2

from rethinkdc.data.decode import decode
from rethinkdc.errors import RequestError
from rethinkdc.layouts import FolderDataset
from rethinkdc.layouts.prepared import Prepared
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.preparation.prepare import prepare_dataset
from rethinkdc.types import Images

pytestmark = [pytest.mark.benchmark, pytest.mark.usefixtures("one_thread")]
COUNT, ROUNDS = 128, 7
SIDE, CROP = 256, 224
TARGET = 4.0


def photograph(number: int) -> Image.Image:
    """One of 500 x 400 px, other for every number."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(load_sample_images().images[number % 2])
    height = int(rng.integers(300, image.height))
    width = height * 5 // 4
    x, y = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
    return image.crop((x, y, x + width, y + height)).resize((500, 400), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photographs")
    for number in range(COUNT + 8):
        split = "train" if number < COUNT else "val"
        path = root / "tree" / split / f"class-{number % 4}" / f"{number:05d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(number).save(path, quality=95, subsampling=0)
    return root / "tree"


def prepare(tree: Path, name: str, **options: Any) -> tuple[Images, Prepared]:
    out = tree.parent / name
    prepared, _ = prepare_dataset(
        PrepareCall(str(tree), out=out, cache_dir=tree.parent / "cache", workers=0, **options)
    )
    return FolderDataset(path=str(out)).load(tree.parent / "cache", "encoded").train, prepared


def rates(tasks: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Rows per CPU second of each, the median of interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            begun = time.process_time()
            task()
            seconds[name].append(time.process_time() - begun)
    return {name: COUNT / statistics.median(spent) for name, spent in seconds.items()}


def show(title: str, found: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, rate in found.items():
        print(f"  {name:<42} {rate:7,.0f} rows/CPU s  x {rate / next(iter(found.values())):.2f}")


def every(images: Images, work: Callable[[Tensor], object]) -> Callable[[], None]:
    def task() -> None:
        for rows in torch.arange(len(images)).split(32):
            work(rows)

    return task


def test_a_short_side_is_read_four_times_as_fast_as_pillow_reads_whole_images(tree: Path) -> None:
    files = sorted((tree / "train").rglob("*.JPEG"))
    original, _ = prepare(tree, "original")
    short, about = prepare(tree, "short", short_side=SIDE)
    stores = {"prepared, original bytes": original, "prepared, short side 256, JPEG 90": short}
    try:
        theirs, _ = prepare(tree, "torchcodec", short_side=SIDE, decoder="torchcodec")
        whole, _ = prepare(tree, "torchcodec-original", decoder="torchcodec")
        stores |= {"the same by torchcodec, original bytes": whole, "the same by torchcodec, short side 256": theirs}
    except RequestError as error:
        print(f"without torchcodec: {error}")
    view: Any = transforms.Compose([transforms.Resize(SIDE), transforms.CenterCrop(CROP), transforms.PILToTensor()])
    vision_view: Any = v2.Compose([v2.Resize(SIDE, antialias=True), v2.CenterCrop(CROP)])
    edge = (SIDE - CROP) // 2

    def pillow() -> None:
        for file in files:
            Image.open(file).convert("RGB")

    def pillow_view() -> None:
        for file in files:
            view(Image.open(file).convert("RGB"))

    def torchvision() -> None:
        for file in files:
            vision.decode_jpeg(vision.read_file(str(file)), mode=vision.ImageReadMode.RGB)

    def torchvision_view() -> None:
        for file in files:
            vision_view(vision.decode_jpeg(vision.read_file(str(file)), mode=vision.ImageReadMode.RGB))

    decoding = rates(
        {"Pillow, full size": pillow, "torchvision, full size": torchvision}
        | {name: every(images, images.native) for name, images in stores.items()}
    )
    show("decoded images", decoding)

    def cropped(images: Images) -> Callable[[Tensor], object]:
        return lambda rows: images.canvases(rows, SIDE, "centre")[..., edge : edge + CROP, edge : edge + CROP]

    viewed = rates(
        {"Pillow, full size, resize 256, crop 224": pillow_view, "torchvision, the same": torchvision_view}
        | {f"{name}, crop 224": every(images, cropped(images)) for name, images in stores.items()}
    )
    show("crops of 224 px", viewed)
    print(*about.loss.tell())
    baseline, ours = viewed["Pillow, full size, resize 256, crop 224"], viewed[f"{list(stores)[1]}, crop 224"]
    assert ours / baseline >= TARGET


def test_scaled_decoding_and_what_it_loses(tree: Path) -> None:
    contents = [file.read_bytes() for file in sorted((tree / "train").rglob("*.JPEG"))]
    for side in (64, 32):

        def full(side: int = side) -> None:
            for content in contents:
                image = Image.open(io.BytesIO(content)).convert("RGB")
                image.resize((side * 5 // 4, side), Image.Resampling.BILINEAR)

        def scaled(side: int = side) -> None:
            for content in contents:
                decode(content, where="here", at_least=2 * side)

        plain, _ = prepare(tree, f"plain-{side}", short_side=side, codec="png")
        lossy, about = prepare(tree, f"scaled-{side}", short_side=side, codec="png", scaled=True)
        small, stored = prepare(tree, f"jpeg-{side}", short_side=side)
        found = rates(
            {
                f"Pillow, full size, resized to {side}": full,
                f"decoded by fewer coefficients, {2 * side} px left": scaled,
                f"prepared, short side {side}, JPEG 90": every(small, small.native),
            }
        )
        show(f"short side {side}", found)
        print(f"  scaled decoding alone: {' '.join(about.loss.tell())}")
        print(f"  JPEG 90 alone: {' '.join(stored.loss.tell())}")
        assert about.loss.psnr > 30
        assert len(plain) == len(lossy)


def test_what_preparing_takes(tree: Path) -> None:
    for name, options in {
        "original bytes": {},
        "short side 256, JPEG 90": {"short_side": SIDE},
        "short side 64, JPEG 90": {"short_side": 64},
        "short side 64, JPEG 90, scaled": {"short_side": 64, "scaled": True},
    }.items():
        begun = time.process_time()
        _, about = prepare(tree, f"timed {name}", **options)
        spent = time.process_time() - begun
        size, source = (sum(getattr(each, of) for each in about.shards) for of in ("size", "source_size"))
        print(f"{name}: {(COUNT + 8) / spent:,.0f} rows per CPU second, {size / source:.1%} of the source's bytes")
        assert size <= source
