"""DSA: one of six simple augmentations per batch, the augmentation of the literature on small synthetic sets."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, get_args

import torch
from pydantic import Field, field_validator
from torch import Tensor

from rethinkdc.views.base import DifferentiableOp
from rethinkdc.views.lookup import translate
from rethinkdc.views.sampling import sample_affine

Strategy = Literal["color", "crop", "cutout", "flip", "scale", "rotate"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

SHIFT = 0.125
"""Largest shift of a crop, as a share of the view's side."""
CUTOUT = 0.5
"""Side of what is cut out, as a share of the view's side."""
SCALE = 1.2
"""Largest stretch along each axis; the smallest is its inverse."""
ROTATION = 15.0
"""Largest rotation either way, in degrees."""

_Channels = tuple[float, float, float]
_Positive = Annotated[float, Field(gt=0.0)]


class Dsa(DifferentiableOp):
    """Differentiable Siamese augmentation (Zhao & Bilen, ICML 2021, arXiv:2102.08259; its code's ``ParamDiffAug``).

    One strategy is drawn for the batch, parameters for each view; Siamese, that is with one draw for all images and the
    same for real and synthetic ones, it becomes under ``DifferentiableViews(shared=True)``. The code works on images
    (x - mean) / std, x in 0..1, and so does ``warp``: it takes them as they come. ``render`` on uint8 carries pixels
    there and back by this op's ``mean`` and ``std``: brightness moves channel c by up to half of std[c], and what lies
    beyond an image becomes its mean colour, as in that code; only there, results are rounded and clipped to 0..255.
    """

    batch_uniforms: ClassVar[int] = 1
    view_uniforms: ClassVar[int] = 3

    op: Literal["dsa"] = "dsa"
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, min_length=1, description="what is drawn from, uniformly"
    )
    mean: _Channels = Field(
        default=(0.4914, 0.4822, 0.4465), description="uint8 only: normalisation it works in; CIFAR-10's"
    )
    std: tuple[_Positive, _Positive, _Positive] = Field(
        default=(0.2023, 0.1994, 0.2010), description="uint8 only: as mean"
    )

    @field_validator("strategies")
    @classmethod
    def _each_once(cls, value: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
        if len(set(value)) < len(value):
            raise ValueError(f"every strategy may be named once; found {list(value)}")
        return value

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:
        """Float64 [B, 4]: the strategy's number in ``STRATEGIES``, the same for all, and up to three parameters.

        color: brightness added, factor of saturation, factor of contrast. crop: pixels down and right that the view
        starts at. cutout: top and left of the square, which may reach beyond the view. flip: whether. scale: how many
        pixels of the image lie between two of the view, down and across. rotate: degrees counter-clockwise.
        """
        strategy = self.strategies[int(per_batch[0] * len(self.strategies))]
        first, second, third = per_view.unbind(dim=1)
        placed = per_view.new_zeros(len(per_view), 4)
        placed[:, 0] = STRATEGIES.index(strategy)
        if strategy == "color":
            placed[:, 1], placed[:, 2], placed[:, 3] = first - 0.5, 2 * second, third + 0.5
        elif strategy == "crop":
            most = (sizes * SHIFT + 0.5).floor()
            placed[:, 1:3] = (per_view[:, :2] * (2 * most + 1)).floor() - most
        elif strategy == "cutout":
            side = _cutout_sides(sizes)
            # An even square's middle may lie on the border itself, as in the authors' code.
            placed[:, 1:3] = (per_view[:, :2] * (sizes + 1 - side % 2)).floor() - side // 2
        elif strategy == "flip":
            placed[:, 1] = first < 0.5
        elif strategy == "scale":
            placed[:, 1:3] = 1 / SCALE + (SCALE - 1 / SCALE) * per_view[:, :2]
        else:
            placed[:, 1] = ROTATION * (2 * first - 1)
        return placed

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        # In float64: how threads divide the sums of the contrast then never decides how a pixel is rounded.
        std, mean = (
            torch.tensor(values, dtype=torch.float64)[:, None, None].to(pixels.device, non_blocking=True)
            for values in (self.std, self.mean)
        )
        warped = self.warp(pixels.double().div_(255).sub_(mean).div_(std), placed)
        rounded = warped.mul_(std).add_(mean).mul_(255).round_().clamp_(0, 255).to(torch.uint8)
        return rounded.contiguous(memory_format=torch.channels_last)

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        if not len(placed):
            return images
        strategy, values = STRATEGIES[int(placed[0, 0])], placed[:, 1:]
        if strategy == "color":
            return coloured(images, values.to(images.device, images.dtype, non_blocking=True))
        if strategy == "crop":
            return translate(images, values[:, :2].long())
        if strategy == "cutout":
            return cut_out(images, values[:, :2].long())
        if strategy == "flip":
            chosen = values[:, 0].bool().to(images.device, non_blocking=True)
            return torch.where(chosen[:, None, None, None], images.flip(3), images)
        return sample_affine(images, values[:, :2].diag_embed() if strategy == "scale" else turns(values[:, 0]))


def coloured(images: Tensor, changes: Tensor) -> Tensor:
    """Brightness, then saturation, then contrast of float [B, 3, H, W]; nothing is clipped.

    Args:
        images: of any range.
        changes: [B or 1, 3] of their type: what is added, then factors of each channel's distance from its pixel's mean
            over the channels and of each number's distance from its image's mean.

    Returns:
        [B, 3, H, W].
    """
    added, saturation, contrast = changes[:, :, None, None, None].unbind(dim=1)
    images = images + added
    grey = images.mean(dim=1, keepdim=True)
    images = (images - grey) * saturation + grey
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - level) * contrast + level


def cut_out(images: Tensor, corners: Tensor) -> Tensor:
    """Zero in a square of half the side of [B, C, H, W], at int64 [B or 1, 2] (top, left), cut off at the border."""
    sizes = torch.tensor(images.shape[2:])
    last = corners + _cutout_sides(sizes)
    rows, columns = (torch.arange(extent) for extent in sizes.tolist())
    down = (rows >= corners[:, :1]) & (rows < last[:, :1])
    across = (columns >= corners[:, 1:]) & (columns < last[:, 1:])
    inside = down[:, None, :, None] & across[:, None, None, :]
    return images.masked_fill(inside.to(images.device, non_blocking=True), 0)


def turns(degrees: Tensor) -> Tensor:
    """Matrices [B, 2, 2] of :func:`sample_affine` that turn the content of images counter-clockwise on the screen."""
    cosine, sine = (degrees * (math.pi / 180)).cos(), (degrees * (math.pi / 180)).sin()
    return torch.stack([torch.stack([cosine, sine], dim=1), torch.stack([-sine, cosine], dim=1)], dim=1)


def _cutout_sides(sizes: Tensor) -> Tensor:
    """Int64 like ``sizes``: pixels of the square along each axis."""
    return (sizes * CUTOUT + 0.5).floor().long()
