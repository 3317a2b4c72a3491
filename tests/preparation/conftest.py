"""A small tree of files of many kinds, and shards of a few rows."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rethinkdc.layouts.prepared import Prepared
from rethinkdc.preparation import sources
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.preparation.prepare import prepare_dataset

Prepare = Callable[..., Prepared]


def encode(value: int, size: tuple[int, int] = (48, 40), image_format: str = "JPEG", **options: Any) -> bytes:
    """A smooth image of so many pixels (width, height) that differs for every value."""
    small = np.random.default_rng(value).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(file, image_format, **options)
    return file.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of six training images, and two of the split named val: JPEG, but for some of every class."""
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("jpg", {}),
        ("jpg", {"progressive": True, "quality": 95}),
        ("jpg", {"exif": turned}),
        ("png", {"image_format": "PNG"}),
        ("webp", {"image_format": "WEBP"}),
        ("jpg", {"size": (9, 7)}),
    ]
    for split, count in (("train", 6), ("val", 2)):
        for number, label in enumerate(("ant", "bee")):
            for index, (ending, options) in enumerate(kinds[:count]):
                path = tmp_path / "tree" / split / label / f"{index}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode(100 * number + 10 * count + index, **options))
    return tmp_path / "tree"


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of two rows."""
    monkeypatch.setattr(sources, "_MOST_ROWS", 2)


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Prepares a dataset in this process, into ``out`` and with a cache beside it."""

    def made(dataset: Any, **options: Any) -> Prepared:
        given: dict[str, Any] = {"out": tmp_path / "out", "cache_dir": tmp_path / "cache", "workers": 0} | options
        return prepare_dataset(PrepareCall(str(dataset), **given))[0]

    return made
