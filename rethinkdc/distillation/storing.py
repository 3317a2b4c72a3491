"""From optimised images to stored canvases, and what that costs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class StoredCanvases(NamedTuple):
    """Canvases, and the largest change of a pixel (of 0..1) that storing them made.

    Attributes:
        canvases: uint8 [B, 3, S, S], channels-last.
        clamp_error: by the limits of a pixel; 0 up to rounding where images were clamped while they were optimised.
        rounding_error: by the 256 grey levels, at most half of one; of one where they are cut off.
    """

    canvases: Tensor
    clamp_error: float
    rounding_error: float


def to_canvases(images: Tensor, mean: Sequence[float], std: Sequence[float], *, cut: bool = False) -> StoredCanvases:
    """Undoes the normalisation, clamps to 0..1, and *rounds* to grey levels.

    The papers' code truncates, which darkens every image by half a level on average.

    Args:
        images: normalised float [B, 3, S, S], on any device.
        mean: of the teacher.
        std: of the teacher.
        cut: truncate as the papers' code does, in float32 as it does: white that rounding left just below 1 is then
            level 254.
    """
    dtype = torch.float32 if cut else torch.float64
    means, stds = (torch.tensor(values, dtype=dtype).view(1, 3, 1, 1) for values in (mean, std))
    pixels = images.detach().cpu().to(dtype) * stds + means
    inside = pixels.clamp(0, 1)
    levels = (inside * 255).floor() if cut else (inside * 255).round()
    canvases = levels.to(torch.uint8).contiguous(memory_format=torch.channels_last)
    clamped, rounded = (inside - pixels).abs().max(), (levels / 255 - inside).abs().max()
    return StoredCanvases(canvases, float(clamped), float(rounded))
