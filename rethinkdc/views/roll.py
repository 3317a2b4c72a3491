"""Roll: a circular shift by whole pixels."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.views.base import DifferentiableOp
from rethinkdc.views.lookup import look_up


class Roll(DifferentiableOp):
    """Shifts a view circularly down and right, each by a uniform whole number of pixels; below 0 is up and left.

    The jitter of SRe2L (Yin et al., NeurIPS 2023, arXiv:2306.13092), ``torch.roll`` of its recovery: 0 to 32 px on
    ImageNet, -4 to 4 on Tiny-ImageNet, 0 to 4 on CIFAR.
    """

    view_uniforms: ClassVar[int] = 2

    op: Literal["roll"] = "roll"
    low: int = Field(default=0, description="smallest shift along each axis, in pixels")
    high: int = Field(description="largest shift along each axis, in pixels")

    @model_validator(mode="after")
    def _ordered(self) -> Roll:
        if self.low > self.high:
            raise ValueError(f"low must not be above high; found {self.low} and {self.high}")
        return self

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Int64 [B, 2]: pixels down and right, ``low`` to ``high``."""
        return self.low + (per_view * (self.high - self.low + 1)).floor().long()

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        return self.warp(pixels, placed).contiguous(memory_format=torch.channels_last)

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        height, width = images.shape[2:]
        return look_up(
            images,
            (torch.arange(height) - placed[:, :1]) % height,
            (torch.arange(width) - placed[:, 1:]) % width,
        )
