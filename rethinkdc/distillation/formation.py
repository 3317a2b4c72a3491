"""Several training images on one stored canvas: its cells, enlarged to the canvas's side (IDC, arXiv 2205.14959)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.compressed.canvases import grid_boxes
from rethinkdc.contracts.context import Context
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.types import Budget, ViewRule
from rethinkdc.views import matrix_crops

EACH_CELL = ViewRule(scope="cell", choice="each")
"""How a student sees such a set: every cell is a training image of its own, in every epoch."""


def form(images: Tensor, factor: int) -> Tensor:
    """Decodes canvases to what is trained on: the cells of a grid, enlarged by bilinear interpolation.

    Students see the same of the stored canvases under :data:`EACH_CELL`, up to grey levels.

    Args:
        images: float [B, 3, S, S]; gradients of any order flow to them.
        factor: cells per side; 1 gives the images as they are.

    Returns:
        [factor^2 * B, 3, S, S]: the first cell of all canvases, then the second, row by row.
    """
    if factor == 1:
        return images
    size = images.shape[-1]
    return torch.cat([matrix_crops(images, box[None].long(), size) for box in grid_boxes(size, factor)])


def fill(images: Tensor, factor: int) -> Tensor:
    """Puts images on canvases, one in each cell, taken down to its size by dropping pixels as the authors' code does.

    Args:
        images: float [factor^2 * m, 3, S, S], in the order of :func:`form`.
        factor: cells per side.

    Returns:
        [m, 3, S, S].
    """
    size = images.shape[-1]
    boxes = grid_boxes(size, factor)
    canvases = images.new_empty((len(images) // len(boxes), *images.shape[1:]))
    for some, (y, x, height, width) in zip(images.chunk(len(boxes)), boxes.tolist(), strict=True):
        canvases[:, :, y : y + height, x : x + width] = F.interpolate(some, size=(height, width))
    return canvases


def begun_canvases(
    method: str, real: RealImages, budget: Budget, context: Context, factor: int, init: Literal["real", "noise"]
) -> Tensor:
    """What the canvases of all classes begin as: pixels float32 [C * ipc, 3, S, S], class by class.

    Args:
        method: whose they are; names it in errors.
        real: images as pixels in 0..1, not normalised.
        budget: of the set.
        context: of the making.
        factor: cells per side.
        init: a random real image in each cell, or noise.

    Raises:
        UnsupportedError: a class has too few images.
    """
    if init == "noise":
        shape = (budget.total, 3, budget.size, budget.size)
        noise = torch.randn(shape, generator=context.generator("set", "init"))
        return (noise / 4 + 0.5).clamp(0, 1).to(context.device)
    count = budget.ipc * factor**2
    begun = [
        real.start(method, label, count, context.generator("set", "init", label)) for label in range(budget.classes)
    ]
    return torch.cat([fill(some, factor) for some in begun])
