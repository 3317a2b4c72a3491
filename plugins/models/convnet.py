"""The ConvNet of the small-data literature (Gidaris and Komodakis 2018; Zhao et al. 2021, arXiv 2006.05929)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from rethinkdc.contracts import Model, RequestError, hookimpl

_GROUPS = 8


class ConvNet(Model):
    """Blocks of 3x3 convolution, norm, ReLU and 2x2 average pooling, then one linear layer.

    ``instance`` is an affine GroupNorm of one channel per group, as the literature's code has it; ``group`` has 8
    groups, or the largest number below that divides both 8 and the width.
    """

    name: ClassVar[str] = "convnet"
    paper: ClassVar[str] = "arXiv 2006.05929"

    depth: int = Field(default=3, ge=1, le=8, description="number of blocks; each halves the image")
    width: int = Field(default=128, ge=1, le=4096, description="channels of every block")
    norm: Literal["instance", "group", "batch"] | None = Field(
        default="instance", description="normalisation in each block"
    )

    def build(self, classes: int, size: int) -> nn.Module:
        side = size >> self.depth
        if side < 1:
            raise RequestError(
                f"convnet of depth {self.depth} halves its images {self.depth} times, and {size} px cannot be: "
                f"use depth {max(1, size.bit_length() - 1)} or less, or images of at least {1 << self.depth} px."
            )
        blocks: list[nn.Module] = []
        for index in range(self.depth):
            convolution = nn.Conv2d(3 if index == 0 else self.width, self.width, 3, padding=1)
            blocks += [convolution, self._norm(), nn.ReLU(inplace=True), nn.AvgPool2d(2)]
        return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(self.width * side * side, classes))

    def _norm(self) -> nn.Module:
        if self.norm == "batch":
            return nn.BatchNorm2d(self.width)
        if self.norm is None:
            return nn.Identity()
        groups = self.width if self.norm == "instance" else math.gcd(_GROUPS, self.width)
        return nn.GroupNorm(groups, self.width)


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``convnet``."""
    return [ConvNet]
