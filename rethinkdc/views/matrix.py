"""The matrix renderer: antialiased crops as two matrix products, on any device and with gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rethinkdc.types import Interpolation

CHUNK_BYTES = 1 << 28
"""Most bytes of matrices and intermediate results that are alive at once, whatever the batch; one image at least.

Not counted: where gradients are wanted, the matrices (size x (H + W) numbers for each box) are kept for them.
"""


def matrix_crops(
    images: Tensor,
    boxes: Tensor,
    size: int,
    interpolation: Interpolation = "bilinear",
    *,
    chunk_bytes: int = CHUNK_BYTES,
) -> Tensor:
    """Cuts a box out of each image and resamples it with antialiasing: rows @ image @ columns^T.

    What :func:`rethinkdc.views.render_crops` does one crop at a time. Views of floats are torch's
    ``F.interpolate(crop, size, antialias=True)``; bilinear ones are within 1/255 of the CPU renderer's, which rounds
    after each of its two passes, and clips bicubic ones. uint8 is rounded and clipped there too, so that views differ
    by one step, in few pixels.

    Gradients flow to ``images``, of any order, and no step depends on the order of additions on a GPU. The products run
    in float32 (float64 for float64) even under autocast; where TF32 is switched on for matrix products on a GPU, they
    are as coarse as TF32.

    Args:
        images: [B, 3, H, W], float of any range, or uint8.
        boxes: int64 [B, 4] as (y, x, height, width), inside the images; [1, 4] is one box for all, which is cheaper.
            Best on the CPU: they are checked there.
        size: side of the views in pixels.
        interpolation: filter of the resampling.
        chunk_bytes: most bytes for matrices and intermediate results: larger batches are rendered in parts.

    Returns:
        [B, 3, size, size] of the type of ``images``, on their device.

    Raises:
        ValueError: a box is empty or not inside its image, or there are neither one nor B boxes.
    """
    height, width = images.shape[2:]
    _require_inside(boxes, len(images), height, width)
    if len(boxes) == 1:
        top, left, height, width = boxes[0].tolist()
        images = images[:, :, top : top + height, left : left + width]
        boxes = torch.tensor([[0, 0, height, width]])
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    # Of one image: its matrices with what they are made from, in float64; itself; one pass done, twice; and both.
    numbers = 8 * (height + width) * size + 3 * (height * width + 2 * height * size + 2 * size * size)
    part = max(1, chunk_bytes // (numbers * dtype.itemsize))
    boxes = boxes.to(images.device, non_blocking=True)
    views = []
    for position, some in enumerate(images.split(part)):
        if position == 0 or len(boxes) > 1:
            chosen = boxes if len(boxes) == 1 else boxes[position * part :][:part]
            rows = resampling(chosen[:, 0], chosen[:, 2], height, size, interpolation).to(dtype)
            columns = resampling(chosen[:, 1], chosen[:, 3], width, size, interpolation).to(dtype)
        views.append(_products(rows, some.to(dtype), columns, images.dtype))
    return torch.cat(views)


def resampling(starts: Tensor, lengths: Tensor, extent: int, size: int, interpolation: Interpolation) -> Tensor:
    """The matrices that resample one axis, as Pillow and ``F.interpolate(antialias=True)`` do.

    A view's pixel i lies at (i + 1/2) length / size of its box. The filter is stretched by length / size where that
    is above 1, only pixels of the box have a weight, and weights add up to 1.

    Args:
        starts: int64 [B], first pixel of each box.
        lengths: int64 [B], its pixels, at least 1.
        extent: pixels of the images along this axis.
        size: pixels of the views.
        interpolation: the filter.

    Returns:
        float64 [B, size, extent] on the device of ``starts``.
    """
    device = starts.device
    pixels = torch.arange(extent, device=device) - starts[:, None, None]
    scale = lengths[:, None, None].double() / size
    centres = (torch.arange(size, dtype=torch.float64, device=device)[:, None] + 0.5) * scale
    weights = _FILTERS[interpolation](((pixels + 0.5 - centres) / scale.clamp(min=1)).abs_())
    weights = weights.where((pixels >= 0) & (pixels < lengths[:, None, None]), 0.0)
    return weights.div_(weights.sum(dim=2, keepdim=True))


def _triangle(distance: Tensor) -> Tensor:
    return (1 - distance).clamp_(min=0)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic with a = -1/2, the one of antialiased resampling."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return near.where(distance < 1, far.where(distance < 2, 0.0))


_FILTERS: dict[str, Callable[[Tensor], Tensor]] = {"bilinear": _triangle, "bicubic": _cubic}


def _products(rows: Tensor, images: Tensor, columns: Tensor, dtype: torch.dtype) -> Tensor:
    """Views [b, 3, size, size] of images [b, 3, h, w] by matrices [b or 1, size, h] and [b or 1, size, w]."""
    if len(rows) == 1:
        # Plain matrices are not repeated for each image.
        rows, columns = rows[0], columns[0]
    with torch.autocast(images.device.type, enabled=False):
        # Channels are more rows, then more columns, of one product for each image: no matrix is repeated for them.
        across = _stored(images.flatten(1, 2) @ columns.mT, dtype).unflatten(1, images.shape[1:3])
        views: Tensor = _stored(rows @ across.transpose(1, 2).flatten(2), dtype)
        views = views.unflatten(2, (images.shape[1], -1)).transpose(1, 2)
    return views.to(dtype)


def _stored(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """What is left of numbers between two passes: bytes are rounded, half up, and clipped, as in the CPU renderer."""
    return numbers.add_(0.5).floor_().clamp_(0, 255) if dtype == torch.uint8 else numbers


def _require_inside(boxes: Tensor, count: int, height: int, width: int) -> None:
    if len(boxes) not in (1, count):
        raise ValueError(f"{count} images need {count} boxes, or one for all; found {len(boxes)}.")
    first, last = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    outside = (first < 0).any(1) | (boxes[:, 2:] < 1).any(1) | (last > boxes.new_tensor([height, width])).any(1)
    if bool(outside.any()):
        box = tuple(boxes[outside][0].tolist())
        raise ValueError(f"The box {box} is not inside its source of {height} x {width} pixels.")
