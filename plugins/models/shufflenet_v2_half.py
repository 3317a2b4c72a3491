"""ShuffleNetV2 of half the width for 32 px and 64 px images (Ma et al. 2018, arXiv 1807.11164).

The form that work on small images uses, G-VBSM and EDC among it (shaoshitong/EDC at 80116a7): a 1x1 stem without a
halving.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from rethinkdc.contracts import Model, hookimpl

_STEM, _LAST = 24, 1024
_STAGES = ((48, 3), (96, 7), (192, 3))
"""Channels, and blocks behind the halving one."""


class ShuffleNetV2Half(Model):
    """Split, convolve, join and shuffle, at half of ShuffleNetV2's channels, with three halvings."""

    name: ClassVar[str] = "shufflenet-v2-half"
    paper: ClassVar[str] = "arXiv 1807.11164"

    def build(self, classes: int, size: int) -> nn.Module:  # noqa: ARG002 - any size works
        layers: list[nn.Module] = [_convolution(3, _STEM)]
        channels = _STEM
        for width, blocks in _STAGES:
            layers += [_Halving(channels, width), *(_Block(width // 2) for _ in range(blocks))]
            channels = width
        head = [_convolution(channels, _LAST), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_LAST, classes)]
        return nn.Sequential(*layers, *head)


class _Block(nn.Module):
    """Convolves half of the channels and keeps the others."""

    def __init__(self, half: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(half, half), _depthwise(half, 1), _convolution(half, half))

    def forward(self, images: Tensor) -> Tensor:
        kept, convolved = images.chunk(2, dim=1)
        return _shuffled(torch.cat([kept, self.branch(convolved)], dim=1))


class _Halving(nn.Module):
    """Convolves all channels twice over, to half the side."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.left = nn.Sequential(_depthwise(channels, 2), _convolution(channels, half))
        self.right = nn.Sequential(_convolution(channels, half), _depthwise(half, 2), _convolution(half, half))

    def forward(self, images: Tensor) -> Tensor:
        return _shuffled(torch.cat([self.left(images), self.right(images)], dim=1))


def _shuffled(images: Tensor) -> Tensor:
    """Channels of both halves in turn."""
    shuffled: Tensor = images.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
    return shuffled


def _convolution(channels: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _depthwise(channels: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels))


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``shufflenet-v2-half``."""
    return [ShuffleNetV2Half]
