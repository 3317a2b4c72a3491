"""Where training and evaluation fetch their pixels from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from rethinkdc.data.chunks import CHUNK, in_chunks
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.encoded import all_rows
from rethinkdc.data.resize import empty_canvases
from rethinkdc.types import Fit, Images, Interpolation

CANVAS_LIMIT = 2 << 30
"""Bytes of canvases that a store keeps in memory unless told otherwise."""


class Store(Protocol):
    """Pixels by row number."""

    @property
    def pixels(self) -> Tensor | None:
        """All images as uint8 [M, 3, h, w], channels-last, when they are held as one tensor; else None."""
        ...

    def __len__(self) -> int: ...

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        """uint8 [3, h, w] for each of int64 ``rows``. Not to be written to: they may be views of the store."""
        ...


class CanvasStore:
    """Images resized to one square size.

    Attributes:
        size: side of a canvas in pixels.
        pixels: uint8 [M, 3, size, size], channels-last, when all canvases fit in the limit; else None, and every
            fetch asks the images again.
    """

    def __init__(
        self,
        images: Images,
        size: int,
        fit: Fit = "squash",
        interpolation: Interpolation = "bilinear",
        *,
        limit_bytes: int = CANVAS_LIMIT,
        workers: int = 0,
    ) -> None:
        """Makes all canvases once when they fit, on ``workers`` threads. Images of this size already are not copied.

        Args:
            images: M images.
            size: side of a canvas in pixels.
            fit: how an image fills a square.
            interpolation: of the resize.
            limit_bytes: most bytes that the canvases may take in memory.
            workers: threads that decode and resize; the result does not depend on it.

        Raises:
            DataError: an image cannot be decoded.
        """
        self.images = images
        self.size = size
        self.fit = fit
        self.interpolation = interpolation
        self.workers = workers
        self.pixels = self._make_once(limit_bytes)

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        if self.pixels is not None:
            return [self.pixels[row] for row in rows.tolist()]
        return list(self._make_canvases(rows).unbind(0))

    def _make_once(self, limit_bytes: int) -> Tensor | None:
        if isinstance(self.images, DecodedImages) and self.images.pixels.shape[2:] == (self.size, self.size):
            return self.images.pixels
        if len(self) * 3 * self.size * self.size > limit_bytes:
            return None
        return self._make_canvases(all_rows(len(self)))

    def _make_canvases(self, rows: Tensor) -> Tensor:
        canvases = empty_canvases(len(rows), (self.size, self.size))

        def fill(first: int, last: int) -> None:
            part = self.images.canvases(rows[first:last], self.size, self.fit, self.interpolation)
            canvases[first:last].copy_(part)

        in_chunks(len(rows), fill, workers=self.workers, chunk=CHUNK)
        return canvases


class NativeStore:
    """Images at their original size.

    Attributes:
        pixels: the decoded images' own tensor uint8 [M, 3, h, w]; None when the images are decoded on demand.
    """

    def __init__(self, images: Images) -> None:
        """Copies nothing."""
        self.images = images
        self.pixels: Tensor | None = images.pixels if isinstance(images, DecodedImages) else None

    def __len__(self) -> int:
        return len(self.images)

    def fetch(self, rows: Tensor) -> Sequence[Tensor]:
        if self.pixels is not None:
            return [self.pixels[row] for row in rows.tolist()]
        return self.images.native(rows)
