"""RandAugment: a few of fourteen simple changes of each view, all of one strength."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.views.base import PixelOp

CHANGES = (
    "identity",
    "shear-x",
    "shear-y",
    "translate-x",
    "translate-y",
    "rotate",
    "brightness",
    "colour",
    "contrast",
    "sharpness",
    "posterise",
    "solarise",
    "autocontrast",
    "equalise",
)
"""In the order of torchvision's table; the second to the tenth go either way."""
_SIGNED = range(1, 10)
STRENGTHS = 30
"""The largest strength: torchvision's 31 bins are the ranges of the changes in 30 equal steps."""


class RandAugment(PixelOp):
    """RandAugment (Cubuk et al., arXiv:1909.13719) as torchvision has it: its changes, their ranges and filters.

    For each view ``count`` changes are drawn, with replacement, and of those that go either way whether up or down.
    Before a crop it works on whole images. Pixels are those of torchvision's tensors, which Pillow would round
    otherwise.
    """

    on_sources: ClassVar[bool] = True

    op: Literal["rand-augment"] = "rand-augment"
    count: int = Field(default=2, ge=1, le=14, description="changes of each view, one after the other")
    strength: int = Field(default=9, ge=0, le=STRENGTHS, description="of every change, in thirtieths of its range")

    @property
    def view_uniforms(self) -> int:
        return 2 * self.count

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Int64 [B, count, 2]: the change's number in ``CHANGES``; -1 for down, 1 for up and where there is no way."""
        drawn, way = per_view.view(-1, self.count, 2).unbind(dim=2)
        changes = (drawn * len(CHANGES)).floor().long()
        signed = (changes >= _SIGNED.start) & (changes < _SIGNED.stop)
        return torch.stack([changes, torch.where(signed & (way < 0.5), -1, 1)], dim=2)

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        for step in placed.unbind(dim=1):
            for number, sign in step.unique(dim=0).tolist():
                rows = (step == torch.tensor([number, sign])).all(dim=1).nonzero().flatten().to(pixels.device)
                pixels[rows] = changed(pixels[rows], CHANGES[number], self.strength, sign)
        return pixels


def changed(images: Tensor, change: str, strength: int, sign: int) -> Tensor:
    """Uint8 [B, 3, H, W] after one of ``CHANGES``, of a strength up to ``STRENGTHS``; ``sign`` -1 is the other way."""
    from torchvision.transforms import functional as tv

    def of(largest: float) -> float:
        # As torchvision counts: a factor that differs in its last digit rounds some pixels otherwise.
        return sign * float(torch.linspace(0.0, largest, STRENGTHS + 1)[strength])

    height, width = images.shape[2:]
    changes: dict[str, Callable[[], Tensor]] = {
        "identity": lambda: images,
        "shear-x": lambda: tv.affine(images, 0.0, [0, 0], 1.0, [_degrees(of(0.3)), 0.0], center=[0, 0]),
        "shear-y": lambda: tv.affine(images, 0.0, [0, 0], 1.0, [0.0, _degrees(of(0.3))], center=[0, 0]),
        "translate-x": lambda: tv.affine(images, 0.0, [int(of(150 / 331 * width)), 0], 1.0, [0.0, 0.0]),
        "translate-y": lambda: tv.affine(images, 0.0, [0, int(of(150 / 331 * height))], 1.0, [0.0, 0.0]),
        "rotate": lambda: tv.rotate(images, of(30.0)),
        "brightness": lambda: tv.adjust_brightness(images, 1 + of(0.9)),
        "colour": lambda: tv.adjust_saturation(images, 1 + of(0.9)),
        "contrast": lambda: tv.adjust_contrast(images, 1 + of(0.9)),
        "sharpness": lambda: tv.adjust_sharpness(images, 1 + of(0.9)),
        "posterise": lambda: tv.posterize(images, 8 - round(4 * strength / STRENGTHS)),
        "solarise": lambda: tv.solarize(images, float(torch.linspace(255.0, 0.0, STRENGTHS + 1)[strength])),
        "autocontrast": lambda: tv.autocontrast(images),
        "equalise": lambda: tv.equalize(images),
    }
    return changes[change]()


def _degrees(slope: float) -> float:
    return math.degrees(math.atan(slope))
