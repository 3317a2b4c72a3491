"""Images and trees that tests of datasets read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png(value: int) -> bytes:
    """A noisy image of 6 x 5 px that differs for every value."""
    file = io.BytesIO()
    pixels = np.random.default_rng(value).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def draw() -> Callable[[Path, int], Path]:
    """Writes an image to a path, and the folders above it."""

    def write(path: Path, value: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(value))
        return path

    return write


@pytest.fixture
def plant(tmp_path: Path, draw: Callable[[Path, int], Path]) -> Callable[..., Path]:
    """Writes a tree: of each class so many images, in each split."""

    def write(splits: Mapping[str, Mapping[str, int]], name: str = "tree", ending: str = "png") -> Path:
        value = 0
        for split, classes in splits.items():
            for label, count in classes.items():
                for index in range(count):
                    draw(tmp_path / name / split / label / f"{index}.{ending}", value)
                    value += 1
        return tmp_path / name

    return write
