"""Training rows stored as canvases of their own: what a control needs that changes pixels or classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rethinkdc.combination.grid import PART
from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.types import Budget, Images


def store_rows(
    data: Images,
    rows: Tensor,
    targets: Tensor,
    budget: Budget,
    context: Context,
    change: Callable[[Tensor, Tensor], Tensor] = lambda pixels, _: pixels,
) -> CompressedSet:
    """Stores rows as the protocol stores images, changed.

    Args:
        data: the training set.
        rows: int64 [M].
        targets: int64 [M], the class that each canvas is given.
        budget: gives the canvas's size.
        context: its ``parts`` make the work resumable and bound the memory; its protocol says how images are stored.
        change: canvases uint8 [m, 3, S, S] of given rows (int64 [m]), changed; depends on these alone.
    """
    store = context.protocol.store

    def make(index: int) -> dict[str, Tensor]:
        part = slice(index * PART, (index + 1) * PART)
        pixels = data.canvases(rows[part], budget.size, store.fit, store.interpolation)
        return {
            # Kept as NHWC: channels-last memory survives the memory map.
            "canvases": change(pixels, rows[part]).permute(0, 2, 3, 1),
            "targets": targets[part],
            "sources": rows[part, None],
        }

    stored = context.parts(-(-len(rows) // PART), make)
    parts = [{**part, "canvases": part["canvases"].permute(0, 3, 1, 2)} for part in stored]
    return CompressedSet.of_canvases(parts, data.class_names)


def permute_patches(pixels: Tensor, orders: Tensor, grid: int) -> Tensor:
    """Puts the patches of each canvas in another order: the same pixels at other places.

    Args:
        pixels: uint8 [m, 3, S, S].
        orders: int64 [m, grid^2], permutations: place q shows patch ``orders[:, q]``, both row by row.
        grid: patches per side; divides S. S itself moves single pixels.
    """
    count, channels, size, _ = pixels.shape
    side = size // grid
    patches = pixels.reshape(count, channels, grid, side, grid, side).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    moved = patches[torch.arange(count)[:, None], orders].view(count, grid, grid, channels, side, side)
    return moved.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, size, size)
