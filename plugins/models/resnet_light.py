"""A light residual network for 32 px images on a CPU, after the ResNet-9 of the DAWNBench entries (D. Page, 2018)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Model, RequestError, hookimpl

_HALVINGS = 3


class ResNetLight(Model):
    """ResNet-9 with a quarter of its channels: about 1,000 images of 32 px per second and CPU core."""

    name: ClassVar[str] = "resnet-light"

    width: int = Field(
        default=16, ge=1, le=512, description="channels of the stem; the stages have 2, 4 and 8 times as many"
    )

    def build(self, classes: int, size: int) -> nn.Module:
        if size >> _HALVINGS < 1:
            raise RequestError(
                f"resnet-light halves its images {_HALVINGS} times, and {size} px cannot be: use images of at least "
                f"{1 << _HALVINGS} px, or 'convnet:depth=2'."
            )
        stem, first, second, third = (self.width * factor for factor in (1, 2, 4, 8))
        return nn.Sequential(
            _convolution(3, stem),
            _convolution(stem, first),
            nn.MaxPool2d(2),
            _Residual(first),
            _convolution(first, second),
            nn.MaxPool2d(2),
            _convolution(second, third),
            nn.MaxPool2d(2),
            _Residual(third),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(third, classes),
        )


class _Residual(nn.Module):
    """Adds two convolutions to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(width, width), _convolution(width, width))

    def forward(self, images: Tensor) -> Tensor:
        added: Tensor = images + self.branch(images)
        return added


def _convolution(channels: int, width: int) -> nn.Module:
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``resnet-light``."""
    return [ResNetLight]
