"""MobileNetV2 of half the width for 32 px and 64 px images (Sandler et al. 2018, arXiv 1801.04381).

The form that work on small images uses, G-VBSM and EDC among it (shaoshitong/EDC at 80116a7): four halvings, plain
ReLUs, and an expanding convolution also where nothing is expanded.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from rethinkdc.contracts import Model, hookimpl

_STAGES = ((1, 8, 1, 1), (6, 12, 2, 1), (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1))
"""Expansion, channels (half of ImageNet's), blocks, and stride of the first block."""
_STEM, _LAST = 16, 1280


class MobileNetV2Half(Model):
    """Inverted residual blocks at half of MobileNetV2's channels, with four halvings: for 32 px images and up."""

    name: ClassVar[str] = "mobilenet-v2-half"
    paper: ClassVar[str] = "arXiv 1801.04381"

    def build(self, classes: int, size: int) -> nn.Module:  # noqa: ARG002 - any size works
        layers: list[nn.Module] = [_convolution(3, _STEM, 3, 2)]
        channels = _STEM
        for expansion, width, blocks, stride in _STAGES:
            for index in range(blocks):
                layers.append(_Inverted(channels, width, stride if index == 0 else 1, expansion))
                channels = width
        head = [_convolution(channels, _LAST, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_LAST, classes)]
        network = nn.Sequential(*layers, *head)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                # By the outputs of one group times the groups: as the authors have it, also for depthwise ones.
                deviation = (2 / (layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels)) ** 0.5
                nn.init.normal_(layer.weight, std=deviation)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
        return network


class _Inverted(nn.Module):
    """Expands, convolves each channel by itself, and narrows without an activation."""

    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.added = stride == 1 and channels == width
        self.branch = nn.Sequential(
            _convolution(channels, inner, 1, 1),
            _convolution(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.branch(images)
        return images + made if self.added else made


def _convolution(channels: int, width: int, kernel: int, stride: int, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``mobilenet-v2-half``."""
    return [MobileNetV2Half]
