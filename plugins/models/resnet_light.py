"""A light residual network for 32 px images on a CPU, after the ResNet-9 of the DAWNBench entries (D. Page, 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Model, RequestError, hookimpl

_HALVINGS = 3
_GROUPS = 8
_Norm = Callable[[int], nn.Module]


class ResNetLight(Model):
    """ResNet-9 with a quarter of its channels: about 1,000 images of 32 px per second and CPU core."""

    name: ClassVar[str] = "resnet-light"

    width: int = Field(
        default=16, ge=1, le=512, description="channels of the stem; the stages have 2, 4 and 8 times as many"
    )
    norm: Literal["batch", "group"] = Field(
        default="batch", description="normalisation after each convolution; group: 8 groups, the same for any batch"
    )

    def build(self, classes: int, size: int) -> nn.Module:
        if size >> _HALVINGS < 1:
            raise RequestError(
                f"resnet-light halves its images {_HALVINGS} times, and {size} px cannot be: use images of at least "
                f"{1 << _HALVINGS} px, or 'convnet:depth=2'."
            )
        stem, first, second, third = (self.width * factor for factor in (1, 2, 4, 8))
        norm = nn.BatchNorm2d if self.norm == "batch" else _group_norm
        return nn.Sequential(
            _convolution(3, stem, norm),
            _convolution(stem, first, norm),
            nn.MaxPool2d(2),
            _Residual(first, norm),
            _convolution(first, second, norm),
            nn.MaxPool2d(2),
            _convolution(second, third, norm),
            nn.MaxPool2d(2),
            _Residual(third, norm),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(third, classes),
        )


class _Residual(nn.Module):
    """Adds two convolutions to their input."""

    def __init__(self, width: int, norm: _Norm) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(width, width, norm), _convolution(width, width, norm))

    def forward(self, images: Tensor) -> Tensor:
        added: Tensor = images + self.branch(images)
        return added


def _convolution(channels: int, width: int, norm: _Norm) -> nn.Module:
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, norm(width), nn.ReLU(inplace=True))


def _group_norm(width: int) -> nn.Module:
    return nn.GroupNorm(math.gcd(_GROUPS, width), width)


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``resnet-light``."""
    return [ResNetLight]
