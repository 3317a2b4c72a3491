"""The CPU renderer: crops of stored uint8 images, resampled to one size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.types import Interpolation


def render_crops(
    sources: Sequence[Tensor],
    boxes: Tensor,
    size: int,
    interpolation: Interpolation = "bilinear",
    out: Tensor | None = None,
) -> Tensor:
    """Cuts one box out of each source and resamples it with antialiasing.

    The result is Pillow's ``image.crop(box).resize((size, size))``: the filter sees the box alone, never what lies
    beside it. Both round after each of two passes, so where two exact ties meet a pixel is 2/255 away: about one in ten
    million for bilinear, a few in 100,000 for bicubic. Bicubic also clips after each pass, and Pillow's versions differ
    in which comes first: here it is always across, then down. A box of ``size`` x ``size`` is copied.

    Args:
        sources: B images uint8 [3, h, w], fastest when channels-last (``image[i]`` of a channels-last batch).
        boxes: integer [B, 4] as (y, x, height, width), inside their sources.
        size: side of the views in pixels.
        interpolation: filter of the resampling.
        out: uint8 [B, 3, size, size], channels-last, to write to; None = a new tensor.

    Returns:
        uint8 [B, 3, size, size], channels-last.

    Raises:
        ValueError: a box is empty or not inside its source.
    """
    if out is None:
        out = torch.empty((len(sources), 3, size, size), dtype=torch.uint8, memory_format=torch.channels_last)
    resample, strided, target = F.interpolate, torch.as_strided, (size, size)
    # The one loop over samples: at 32 px most of its time is the overhead of calls, so it makes three per crop.
    for source, (y, x, height, width), view in zip(sources, boxes.tolist(), out.unsqueeze(1).unbind(), strict=True):
        _, rows, columns = source.shape
        if y < 0 or x < 0 or height < 1 or width < 1 or y + height > rows or x + width > columns:
            raise ValueError(f"The box {(y, x, height, width)} is not inside its source of {rows} x {columns} pixels.")
        step, down, right = source.stride()
        # A batch stride of at least one crop's extent is what lets the kernel see channels-last and keep it.
        crop = strided(
            source,
            (1, 3, height, width),
            (max(height * down, 3 * step), step, down, right),
            source.storage_offset() + y * down + x * right,
        )
        if height != size or width != size:
            crop = resample(crop, size=target, mode=interpolation, antialias=True)
        view.copy_(crop)
    return out
