"""CutMix: one box per batch is filled from another view."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.views.base import BetaMixOp


class CutMix(BetaMixOp):
    """Fills one box per batch from a partner view (Yun et al., ICCV 2019, arXiv:1905.04899).

    The kept share is drawn from Beta(``alpha``, ``alpha``); the box has the complementary area around a uniform centre
    and is cut off at the border, so the share really pasted is what labels must be weighted by.
    """

    batch_uniforms: ClassVar[int] = 3

    op: Literal["cutmix"] = "cutmix"
    alpha: float = Field(default=1.0, gt=0.0, description="both parameters of the Beta distribution of the kept share")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Int64 [4]: the batch's box (y, x, height, width) on the view, possibly empty; all views share one size."""
        height, width = sizes[0].tolist()
        share, down, right = per_batch.tolist()
        side = math.sqrt(1.0 - self.kept(share))
        top, bottom = _span(int(down * height), int(height * side), height)
        left, right_edge = _span(int(right * width), int(width * side), width)
        return torch.tensor([top, left, bottom - top, right_edge - left])

    def render(self, pixels: Tensor, placed: Tensor, partner: Tensor) -> Tensor:
        top, left, height, width = placed.tolist()
        box = pixels.permute(0, 2, 3, 1)[:, top : top + height, left : left + width]
        # index_select copies the patches before any of them is overwritten.
        box.copy_(box.index_select(0, partner.to(pixels.device, non_blocking=True)))
        return pixels

    def area(self, placed: Tensor, size: int, count: int) -> Tensor:
        _, _, height, width = placed.tolist()
        return torch.full((count,), height * width / (size * size), dtype=torch.float32)


def _span(centre: int, side: int, length: int) -> tuple[int, int]:
    """First and last + 1 pixel of an even number of pixels around ``centre``, cut off at the border."""
    return max(centre - side // 2, 0), min(centre + side // 2, length)
