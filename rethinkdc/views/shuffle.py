"""Shuffled strips: a view's columns and rows change places in blocks."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.views.base import PixelOp


class ShufflePatches(PixelOp):
    """Permutes the vertical strips of a view, then its horizontal strips (RDED, CVPR 2024, arXiv:2312.03526).

    There are ``factor`` strips each way, with edges at round(i S / factor), half up, like those of a canvas's cells.
    Strips keep their width when they change places, so a shuffled view is a permutation of its pixels. Before a crop it
    shuffles whole images, as RDED does.
    """

    on_sources: ClassVar[bool] = True

    op: Literal["shuffle-patches"] = "shuffle-patches"
    factor: int = Field(default=2, ge=1, description="strips along each axis")

    @property
    def view_uniforms(self) -> int:
        return 2 * self.factor

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Int64 [B, 2, factor]: which vertical strips follow each other from left to right, then which horizontal ones.

        The uniforms of the vertical strips come first; a strip with a smaller one comes earlier.
        """
        return per_view.view(-1, 2, self.factor).argsort(dim=2, stable=True)

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        count, _, height, width = pixels.shape
        columns, rows = (
            _lines(placed[:, axis], extent).to(pixels.device, non_blocking=True)
            for axis, extent in enumerate((width, height))
        )
        # One number per pixel: lines of the batch, three bytes each.
        chosen = (torch.arange(count, device=pixels.device)[:, None] * height + rows)[:, :, None] * width + columns[
            :, None, :
        ]
        shuffled = pixels.permute(0, 2, 3, 1).reshape(-1, 3).index_select(0, chosen.view(-1))
        return shuffled.view(count, height, width, 3).permute(0, 3, 1, 2)


def _lines(strips: Tensor, length: int) -> Tensor:
    """Int64 [B, length]: the line that comes at each place when strips [B, factor] are laid one after the other."""
    factor = strips.shape[1]
    edges = torch.tensor([(2 * i * length + factor) // (2 * factor) for i in range(factor + 1)])
    owner = torch.arange(factor).repeat_interleave(edges.diff())
    # The rank of each line's strip; a stable order keeps the lines of one strip as they were.
    return strips.argsort(dim=1)[:, owner].argsort(dim=1, stable=True)
