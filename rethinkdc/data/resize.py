"""Antialiased resizing of uint8 images, and what part of an image a resize keeps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.types import Fit, Interpolation


def resize(
    images: Tensor | Sequence[Tensor],
    size: tuple[int, int],
    fit: Fit = "squash",
    interpolation: Interpolation = "bilinear",
) -> Tensor:
    """Resizes images as PIL's antialiased resize does, each pass within 1 of 255.

    The columns are resized before the rows, with whole numbers in between. Where both change, the two roundings can
    add up to 2 (rare for bilinear). Some Pillow releases do the rows first when that is less work: bicubic overshoot
    is then clipped at another place, and pixels beside hard edges can differ by more. Ours never depend on Pillow's.

    Args:
        images: uint8 [B, 3, h, w], resized in one call; or a sequence of uint8 [3, h, w] of any sizes.
        size: (height, width) of the result in pixels.
        fit: ``squash`` resizes the whole image; ``centre`` resizes until it covers ``size``, then crops the centre
            (torchvision's ``Resize`` followed by ``CenterCrop``).
        interpolation: ``bilinear`` or ``bicubic``, both antialiased.

    Returns:
        uint8 [B, 3, height, width], channels-last. An image that has this size already is not touched.
    """
    if isinstance(images, Tensor):
        return _resize_batch(channels_last(images), size, fit, interpolation)
    if images and all(image.shape == images[0].shape for image in images):
        # Stacked as they lie, which copies them whole; stacked by channel, each would be copied byte for byte, twice.
        stacked = torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
        return _resize_batch(channels_last(stacked), size, fit, interpolation)
    canvases = empty_canvases(len(images), size)
    for canvas, image in zip(canvases, images, strict=True):
        canvas.copy_(_resize_batch(channels_last(image[None]), size, fit, interpolation)[0])
    return canvases


def kept_boxes(sizes: Tensor, size: tuple[int, int], fit: Fit = "squash") -> Tensor:
    """Finds the part of each image that :func:`resize` shows.

    Args:
        sizes: [N, 2], (height, width) of each source image in pixels.
        size: (height, width) of the result.
        fit: as in :func:`resize`.

    Returns:
        int32 [N, 4] as (y, x, height, width) in source pixels, rounded to whole ones.
    """
    source = sizes.to(torch.float64)
    if fit == "squash":
        return torch.cat([torch.zeros_like(source), source], dim=1).to(torch.int32)
    wanted = torch.tensor(size, dtype=torch.int64)
    cover = _cover_sizes(sizes.to(torch.int64), wanted)
    start = torch.round((cover - wanted).to(torch.float64) / 2)
    scale = source / cover
    first = torch.round(start * scale)
    last = torch.round((start + wanted) * scale)
    return torch.cat([first, last - first], dim=1).to(torch.int32)


def channels_last(images: Tensor) -> Tensor:
    """Lays [B, 3, h, w] out with the strides of an NHWC buffer, also where B, h or w is 1; copies only when needed."""
    return images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def empty_canvases(count: int, size: tuple[int, int]) -> Tensor:
    """Allocates uninitialised uint8 [count, 3, height, width] in channels-last memory."""
    return torch.empty((count, *size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def _resize_batch(images: Tensor, size: tuple[int, int], fit: Fit, interpolation: Interpolation) -> Tensor:
    height, width = images.shape[-2:]
    if (height, width) == size:
        return images
    if not len(images):
        return empty_canvases(0, size)
    if fit == "squash":
        return _interpolate(images, size, interpolation)
    cover_height, cover_width = _cover_sizes(torch.tensor([[height, width]]), torch.tensor(size))[0].tolist()
    covering = _interpolate(images, (cover_height, cover_width), interpolation)
    top, left = round((cover_height - size[0]) / 2), round((cover_width - size[1]) / 2)
    return channels_last(covering[..., top : top + size[0], left : left + size[1]])


def _interpolate(images: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    if tuple(images.shape[-2:]) == size:
        return images
    return channels_last(F.interpolate(images, size=size, mode=interpolation, align_corners=False, antialias=True))


def _cover_sizes(sizes: Tensor, wanted: Tensor) -> Tensor:
    """Finds the sizes int64 [N, 2], aspect kept, that just cover ``wanted``; torchvision floors the longer side."""
    height, width = sizes.unbind(1)
    by_height = torch.stack([wanted[0].expand_as(height), (wanted[0] * width) // height], dim=1)
    by_width = torch.stack([(wanted[1] * height) // width, wanted[1].expand_as(width)], dim=1)
    return torch.where((wanted[0] * width >= wanted[1] * height)[:, None], by_height, by_width)
