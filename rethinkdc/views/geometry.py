"""Ops on rendered views: flip, crop-pad and a small affine map."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.views.base import DifferentiableOp, PixelOp
from rethinkdc.views.lookup import translate

_PART_BYTES = 1 << 20


class Flip(DifferentiableOp):
    """Mirrors a view left to right with probability ``p``."""

    view_uniforms: ClassVar[int] = 1

    op: Literal["flip"] = "flip"
    p: float = Field(default=0.5, ge=0.0, le=1.0, description="probability")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Bool [B]: which views are mirrored."""
        return per_view[:, 0] < self.p

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        rows = _rows(pixels)
        wide = _wide(rows)
        # In parts that stay in cache (larger ones also cost page faults), and written back eight bytes at a time:
        # a tenth of the time of indexing bytes.
        chosen = placed.nonzero()[:, 0].to(pixels.device, non_blocking=True)
        for part in torch.split(chosen, max(1, _PART_BYTES // rows.shape[1])):
            mirrored = _views(rows.index_select(0, part), pixels.shape[-1]).flip(3)
            wide.index_copy_(0, part, _wide(_rows(mirrored)))
        return _views(rows, pixels.shape[-1])

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        chosen = placed.to(images.device, non_blocking=True)
        return torch.where(chosen[:, None, None, None], images.flip(3), images)


class CropPad(DifferentiableOp):
    """Pads a view with black on all sides and cuts a view of the old size out of it: a random shift."""

    view_uniforms: ClassVar[int] = 2

    op: Literal["crop-pad"] = "crop-pad"
    padding: int = Field(default=4, ge=0, description="pixels added on each side")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Int64 [B, 2]: top and left of the cut in the padded view, 0 to twice the padding."""
        return (per_view * (2 * self.padding + 1)).floor().long()

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        count, _, size, _ = pixels.shape
        side = size + 2 * self.padding
        padded = F.pad(pixels.permute(0, 2, 3, 1), (0, 0, *[self.padding] * 4)).contiguous()
        # Every line of a view is one run of 3 * size bytes in the padded batch: gather runs, not pixels.
        runs = padded.view(-1).unfold(0, 3 * size, 3)
        corner = torch.arange(count) * side * side + placed[:, 0] * side + placed[:, 1]
        lines = corner[:, None] + torch.arange(size) * side
        return _views(runs.index_select(0, lines.view(-1).to(pixels.device, non_blocking=True)), size)

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        return translate(images, placed - self.padding)


class Affine(PixelOp):
    """Rotates, scales and shifts a view about its centre, with bilinear sampling and black outside.

    A view's content is turned counter-clockwise by up to ``rotation`` degrees either way, magnified by a factor that is
    uniform in ``scale``, then moved by up to ``shift`` pixels either way along each axis. Sampled in float32 and
    rounded to uint8: the identity and whole-pixel shifts are exact.
    """

    view_uniforms: ClassVar[int] = 4

    op: Literal["affine"] = "affine"
    shift: float = Field(default=0.0, ge=0.0, description="largest shift along each axis, in pixels of the view")
    rotation: float = Field(default=0.0, ge=0.0, le=180.0, description="largest rotation either way, in degrees")
    scale: tuple[Annotated[float, Field(gt=0.0)], Annotated[float, Field(gt=0.0)]] = Field(
        default=(1.0, 1.0), description="range of the magnification"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Affine:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale must be (smallest, largest); found {self.scale}")
        return self

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Float64 [B, 4]: rotation in degrees, magnification, shift down and shift right in pixels."""
        signed = 2 * per_view - 1
        low, high = self.scale
        magnified = low + (high - low) * per_view[:, 1]
        return torch.stack(
            [self.rotation * signed[:, 0], magnified, self.shift * signed[:, 2], self.shift * signed[:, 3]], dim=1
        )

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        inverse = _inverse(placed, pixels.shape[-1]).float().to(pixels.device, non_blocking=True)
        grid = F.affine_grid(inverse, list(pixels.shape), align_corners=False)
        moved = F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return moved.round_().clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def _inverse(placed: Tensor, size: int) -> Tensor:
    """Float64 [B, 2, 3]: where each output point comes from, in affine_grid's coordinates (-1 to 1, x before y)."""
    angle, magnified, down, right = placed.unbind(dim=1)
    cosine, sine = (angle * (math.pi / 180)).cos() / magnified, (angle * (math.pi / 180)).sin() / magnified
    # The y axis points down, so this matrix turns the content counter-clockwise on the screen.
    turn = torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)
    shift = torch.stack([right, down], dim=1)[:, :, None] * (2 / size)
    return torch.cat([turn, -turn @ shift], dim=2)


def _rows(pixels: Tensor) -> Tensor:
    """Channels-last [B, 3, S, S] as [B, S * S * 3]."""
    return pixels.permute(0, 2, 3, 1).flatten(1)


def _views(rows: Tensor, size: int) -> Tensor:
    """Contiguous bytes as channels-last [B, 3, size, size]."""
    return rows.view(-1, size, size, 3).permute(0, 3, 1, 2)


def _wide(rows: Tensor) -> Tensor:
    """The same bytes as the widest integers that divide a row."""
    for dtype in (torch.int64, torch.int32, torch.int16):
        if rows.shape[1] % dtype.itemsize == 0:
            return rows.view(dtype)
    return rows
