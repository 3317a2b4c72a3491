"""Bilinear sampling on a turned or stretched lattice, whose gradients are sums in a fixed order."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_PART_PIXELS = 1 << 22
"""Most pixels whose coordinates are held at once: about 200 MB with all that is computed from them."""


def sample_affine(images: Tensor, matrices: Tensor) -> Tensor:
    """Samples images about their centre, bilinear, zero outside.

    Equals ``F.grid_sample(images, F.affine_grid(theta))`` with torch's defaults on square images. Not that function,
    because its gradient cannot be differentiated again and, on a GPU, adds up in any order: here both the sampling and
    its transpose look up a fixed number of neighbours for each pixel.

    Args:
        images: float [B, C, H, W].
        matrices: float64 [B or 1, 2, 2] on the CPU, invertible: from a view's point (y, x), in pixels from the centre,
            to the image's; one stands for all images.

    Returns:
        [B, C, H, W] of the same type; any number of derivatives.
    """
    result: Tensor = _Sampling.apply(images, matrices, False)
    return result


class _Sampling(torch.autograd.Function):
    """A linear map of images and its transpose, each the other's derivative."""

    @staticmethod
    def forward(images: Tensor, matrices: Tensor, transposed: bool) -> Tensor:
        part = max(1, _PART_PIXELS // images[0, 0].numel()) if len(images) else 1
        return torch.cat(
            [
                (_spread if transposed else _sampled)(
                    some, matrices if len(matrices) == 1 else matrices[position * part :][:part]
                )
                for position, some in enumerate(images.split(part))
            ]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:  # noqa: ARG004
        _, matrices, ctx.transposed = inputs
        ctx.save_for_backward(matrices)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (matrices,) = ctx.saved_tensors
        return _Sampling.apply(grads[0], matrices, not ctx.transposed), None, None


def _sampled(images: Tensor, matrices: Tensor) -> Tensor:
    """Each pixel of the result is the weighted sum of the four pixels around the point that it comes from."""
    y, x = _moved(matrices.to(images.device, non_blocking=True), *_lattice(images), images.shape)
    top, left = y.floor(), x.floor()
    result = torch.zeros_like(images)
    for row in (top, top + 1):
        for column in (left, left + 1):
            result += _taken(images, row, column, _hat(y - row) * _hat(x - column))
    return result


def _spread(grads: Tensor, matrices: Tensor) -> Tensor:
    """The transpose of :func:`_sampled`: each pixel of the image gathers from the points that took from it.

    Those points lie less than one pixel away from it in y and in x; carried back to the view, that square lies within
    ``reach`` of the pixel's own place there.
    """
    inverse = torch.linalg.inv(matrices)
    reach = inverse.abs().sum(dim=2)
    down, right = (2 * reach.amax(dim=0)).tolist()
    matrices, inverse, reach = (tensor.to(grads.device, non_blocking=True) for tensor in (matrices, inverse, reach))
    own_y, own_x = _lattice(grads)
    y, x = _moved(inverse, own_y, own_x, grads.shape)
    first_y, first_x = (y - reach[:, :1, None]).ceil(), (x - reach[:, 1:, None]).ceil()
    result = torch.zeros_like(grads)
    for step_down in range(math.floor(down) + 1):
        for step_right in range(math.floor(right) + 1):
            row, column = first_y + step_down, first_x + step_right
            # The same expression as in _sampled, at the same whole numbers: the same weights, bit for bit.
            from_y, from_x = _moved(matrices, row, column, grads.shape)
            result += _taken(grads, row, column, _hat(from_y - own_y) * _hat(from_x - own_x))
    return result


def _lattice(images: Tensor) -> tuple[Tensor, Tensor]:
    """Float64 [1, H, 1] and [1, 1, W]: the coordinates of all pixels."""
    rows, columns = (torch.arange(extent, dtype=torch.float64, device=images.device) for extent in images.shape[2:])
    return rows[None, :, None], columns[None, None, :]


def _moved(matrices: Tensor, y: Tensor, x: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Float64 [b, H, W] twice: points (y, x) after the matrices [b, 2, 2], about the centre of images of ``shape``."""
    middle_y, middle_x = (shape[2] - 1) / 2, (shape[3] - 1) / 2
    by_y, by_x = matrices[:, :, 0, None, None], matrices[:, :, 1, None, None]
    down, right = y - middle_y, x - middle_x
    return (
        by_y[:, 0] * down + by_x[:, 0] * right + middle_y,
        by_y[:, 1] * down + by_x[:, 1] * right + middle_x,
    )


def _hat(distance: Tensor) -> Tensor:
    """The weight of a pixel at a distance along one axis."""
    return (1 - distance.abs()).clamp_(min=0)


def _taken(images: Tensor, row: Tensor, column: Tensor, weight: Tensor) -> Tensor:
    """``weight`` times the pixels of [b, C, H, W] at float64 [b or 1, H, W] coordinates; nothing where outside."""
    height, width = images.shape[2:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    chosen = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long().flatten(1)
    pixels = images.flatten(2).gather(2, chosen[:, None].expand(*images.shape[:2], -1)).view_as(images)
    return pixels * weight.where(inside, 0.0)[:, None].to(images.dtype)
