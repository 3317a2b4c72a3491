"""Random resized crop: torchvision's draw, for a whole batch at once."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.views.base import CropOp

ATTEMPTS = 10
_Positive = Annotated[float, Field(gt=0.0)]


class RandomResizedCrop(CropOp):
    """A box of random area and aspect ratio, resampled to the view's size.

    The draw is torchvision's ``RandomResizedCrop.get_params``: up to ten attempts at an area (the source's times a
    uniform number in ``scale``) and a ratio (log-uniform in ``ratio``), the first box that fits is placed uniformly;
    when none fits, the largest central box whose ratio is within bounds.
    """

    view_uniforms: ClassVar[int] = 2 * ATTEMPTS + 2

    op: Literal["random-resized-crop"] = "random-resized-crop"
    scale: tuple[_Positive, Annotated[float, Field(gt=0.0, le=1.0)]] = Field(
        default=(0.08, 1.0), description="range of the box's area, as a share of the source's"
    )
    ratio: tuple[_Positive, _Positive] = Field(
        default=(3 / 4, 4 / 3), description="range of the box's width over height"
    )

    @model_validator(mode="after")
    def _ordered(self) -> RandomResizedCrop:
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be (smallest, largest); found ({low}, {high})")
        return self

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:  # noqa: ARG002
        """Boxes int64 [B, 4]; uniforms are ten areas, ten ratios, then y and x."""
        height, width = self._shapes(per_view[:, :ATTEMPTS], per_view[:, ATTEMPTS : 2 * ATTEMPTS], sizes)
        fits = (width > 0) & (width <= sizes[:, 1:]) & (height > 0) & (height <= sizes[:, :1])
        first = fits.int().argmax(dim=1, keepdim=True)
        shape = torch.cat([height.gather(1, first), width.gather(1, first)], dim=1)
        room = sizes - shape + 1
        corner = (per_view[:, 2 * ATTEMPTS :] * room).floor().long()
        central = self._central(sizes)
        drawn = torch.cat([corner, shape], dim=1)
        return torch.where(fits.any(dim=1, keepdim=True), drawn, central)

    def _shapes(self, area: Tensor, ratio: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Heights and widths int64 [B, ATTEMPTS] of every attempt, whether they fit or not."""
        low, high = self.scale
        areas = sizes.prod(dim=1, keepdim=True) * (low + (high - low) * area)
        log_low, log_high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratios = (log_low + (log_high - log_low) * ratio).exp()
        # torch rounds halves to even, as Python's round does.
        return (areas / ratios).sqrt().round().long(), (areas * ratios).sqrt().round().long()

    def _central(self, sizes: Tensor) -> Tensor:
        """The fallback boxes int64 [B, 4]."""
        height, width = sizes.unbind(dim=1)
        ratios = width.double() / height.double()
        low, high = self.ratio
        box_height = torch.where(ratios < low, (width / low).double().round().long().clamp(min=1), height)
        box_width = torch.where(ratios > high, (height * high).double().round().long().clamp(min=1), width)
        top, left = (height - box_height) // 2, (width - box_width) // 2
        return torch.stack([top, left, box_height, box_width], dim=1)
