"""Views whose pixels are pixels of the image, or zero: shifts of whole pixels, in any numbers and with gradients."""

from __future__ import annotations

import torch
from torch import Tensor


def look_up(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Takes for each pixel of a view the pixel of its image at one row and one column.

    Each pixel of an image may be taken at most once: then no gradient is a sum, and none depends on the order of
    additions on a GPU.

    Args:
        images: [B, C, H, W] of any type.
        rows: int64 [B or 1, h]: row of the image for each row of the view; zero is taken where it is not in 0..H - 1.
        columns: int64 [B or 1, w]: the same for columns; one line of either stands for all images.

    Returns:
        [B, C, h, w] of the same type.
    """
    height, width = images.shape[2:]
    outside = _outside(rows, height)[:, None, :, None] | _outside(columns, width)[:, None, None, :]
    rows = rows.clamp(0, height - 1).to(images.device, non_blocking=True)
    columns = columns.clamp(0, width - 1).to(images.device, non_blocking=True)
    if len(rows) == 1 and len(columns) == 1:
        taken = images.index_select(2, rows[0]).index_select(3, columns[0])
    else:
        chosen = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
        chosen = chosen[:, None].expand(len(images), images.shape[1], -1)
        taken = images.flatten(2).gather(2, chosen).unflatten(2, (rows.shape[1], columns.shape[1]))
    if not bool(outside.any()):
        return taken
    return taken.masked_fill(outside.to(images.device, non_blocking=True), 0)


def translate(images: Tensor, offsets: Tensor) -> Tensor:
    """Shows the images [B, C, H, W] from int64 [B or 1, 2] (down, right) on: pixel (y, x) is the one at (y, x) plus it.

    What lies beyond an image is zero.
    """
    height, width = images.shape[2:]
    return look_up(images, torch.arange(height) + offsets[:, :1], torch.arange(width) + offsets[:, 1:])


def _outside(lines: Tensor, extent: int) -> Tensor:
    return (lines < 0) | (lines >= extent)
