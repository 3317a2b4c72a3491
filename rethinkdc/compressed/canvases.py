"""Stored canvases in parts, and the cells of their grid."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from rethinkdc.data.resize import resize
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.types import Fit, Interpolation


def grid_boxes(size: int, grid: int) -> Tensor:
    """Divides a canvas into ``grid`` x ``grid`` cells, row by row: int32 [grid^2, 4] as (y, x, height, width).

    Edges lie at round(i * size / grid) (half up), so that any grid up to the size divides it.

    Raises:
        UnsupportedError: cells would have no pixel.
    """
    if grid > size:
        raise UnsupportedError(
            f"Canvases of {size} px have no {grid} cells per side: a cell needs at least one pixel. "
            f"The largest grid here is {size}."
        )
    edges = [(2 * i * size + grid) // (2 * grid) for i in range(grid + 1)]
    spans = list(pairwise(edges))
    return torch.tensor([(y, x, y1 - y, x1 - x) for y, y1 in spans for x, x1 in spans], dtype=torch.int32)


class Canvases:
    """Canvases of one size in parts, memory-mapped or not; they are read where they lie and never joined.

    Attributes:
        parts: uint8 [m, 3, S, S] each.
        size: their side S in pixels.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        """Takes the parts as they are, without a copy.

        Raises:
            RequestError: there is none, one is no uint8 [m, 3, S, S], or their sizes differ.
        """
        if not parts:
            raise RequestError("A compressed set needs at least one part of canvases; found none.")
        for part in parts:
            if part.dtype != torch.uint8 or part.ndim != 4 or part.shape[1] != 3 or part.shape[2] != part.shape[3]:
                raise RequestError(f"Canvases must be uint8 [m, 3, S, S]; found {part.dtype} {list(part.shape)}.")
        if len({part.shape[-1] for part in parts}) != 1:
            raise RequestError("The parts of a compressed set must all have canvases of one size.")
        self.parts = list(parts)
        self.size: int = parts[0].shape[-1]
        self._starts = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all pixels in row order; it does not depend on the parts."""
        total = hashlib.sha256()
        for part in self.parts:
            for image in part:
                total.update(image.permute(1, 2, 0).contiguous().numpy().tobytes())
        return total.hexdigest()

    def native(self, rows: Tensor) -> list[Tensor]:
        """The canvases of int64 ``rows``: uint8 [3, S, S] each."""
        return list(self._gather(rows))

    def canvases(self, rows: Tensor, size: int, fit: Fit, interpolation: Interpolation) -> Tensor:
        """The canvases of int64 ``rows`` at ``size``: uint8 [B, 3, size, size], channels-last."""
        stored = self._gather(rows)
        return stored if self.size == size else resize(stored, (size, size), fit, interpolation)

    def _gather(self, rows: Tensor) -> Tensor:
        gathered = torch.empty((len(rows), 3, self.size, self.size), dtype=torch.uint8)
        gathered = gathered.contiguous(memory_format=torch.channels_last)
        owner = torch.bucketize(rows, self._starts[1:], right=True)
        for part in owner.unique().tolist():
            here = owner == part
            gathered[here] = self.parts[part][rows[here] - self._starts[part]]
        return gathered
