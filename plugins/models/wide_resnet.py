"""Wide residual networks for small images (Zagoruyko and Komodakis 2016, arXiv 1605.07146)."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Model, RequestError, hookimpl

_STEM = 16


class WideResNet(Model):
    """Pre-activation blocks in three stages behind a 3x3 stem; WRN-16-2 unless told otherwise."""

    name: ClassVar[str] = "wide-resnet"
    paper: ClassVar[str] = "arXiv 1605.07146"

    depth: int = Field(default=16, ge=10, le=100, description="layers; 6n + 4 for n blocks in each stage")
    widen: int = Field(default=2, ge=1, le=20, description="k, factor on the channels 16, 32 and 64 of the stages")

    def build(self, classes: int, size: int) -> nn.Module:  # noqa: ARG002 - any size works
        if (self.depth - 4) % 6:
            raise RequestError(f"wide-resnet:depth={self.depth}: a depth is 6n + 4, such as 10, 16, 22, 28 or 40.")
        stem = nn.Conv2d(3, _STEM, 3, padding=1, bias=False)
        layers: list[nn.Module] = [stem]
        channels = _STEM
        for stage in range(3):
            width = _STEM * self.widen << stage
            for index in range((self.depth - 4) // 6):
                layers.append(_Block(channels, width, 2 if stage and not index else 1))
                channels = width
        head = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        network = nn.Sequential(*layers, *head, nn.Linear(channels, classes))
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
        return network


class _Block(nn.Module):
    """Norm, ReLU and convolution, twice; where the width changes, the first norm serves the shortcut too."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, images: Tensor) -> Tensor:
        active = F.relu(self.norm1(images))
        added: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return added + (images if self.shortcut is None else self.shortcut(active))


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``wide-resnet``."""
    return [WideResNet]
