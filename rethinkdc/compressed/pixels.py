"""Float images to the nearest bytes, and what that costs: a set is stored as pixels, whatever it was learned as."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.errors import RequestError

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_IMAGES = 256
"""Images that are converted at a time: nothing but the result grows with their number."""
_HALF_A_STEP = 0.5 / 255
"""Values that are moved by less would be stored as the same byte: a black background errs by float32's last digit."""
_MUCH = 0.15
"""Share of clamped values above which a warning is due: distilled sets of 10 images per class reach a tenth."""
_FLAT = 0.7
"""Spread of normalised values below which they were hardly normalised as stated; their own mean and std give 1."""
_PLUS_MINUS = (0.5, 0.5)
"""Mean and std of images in -1..1."""
_BLACK = (
    "No pixel is above 1 of 255: all images are black. Likely they were in 0..1 when they were cast to bytes, or were "
    "divided by 255 twice."
)
_FAR = 1.2
"""Spread above which images are no whitened ones either: those vary by 1 at most."""
_BYTES = 20.0
"""No normalised image reaches it, and images in 0..255 do."""


@dataclass(frozen=True)
class Loss:
    """What storing float images as bytes did to them.

    Attributes:
        mean: channel means that were added; None = the images were taken as pixels in 0..1.
        std: channel standard deviations that were multiplied.
        clamped: share of values that were brought into 0..1 by more than half a byte.
        clamp_error: the largest such change, in 0..1.
        rounding_error: the largest change of a pixel, in 0..1, when it was rounded to a byte.
        low: the least value as given.
        high: the largest value as given.
        spread: the standard deviation of all values as given.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    clamped: float
    clamp_error: float
    rounding_error: float
    low: float
    high: float
    spread: float

    @property
    def note(self) -> dict[str, Any]:
        """JSON data for cards and records."""
        return {
            "mean": self.mean and list(self.mean),
            "std": self.std and list(self.std),
            "clamped": self.clamped,
            "clamp_error": self.clamp_error,
            "rounding_error": self.rounding_error,
        }

    @property
    def doubt(self) -> str:
        """What is likely wrong with a mean and std under which so much is lost; empty where nothing is."""
        if not self._plain and self.low >= 0 and self.high <= 1:
            return "The images lie in 0..1 as they are given: they were not normalised. Leave out the mean and std."
        if self.clamped > _MUCH:
            return (
                f"{self.clamped:.0%} of the values were clamped, by up to {self.clamp_error:.2f} of 1; more than "
                f"{_MUCH:.0%} is not usual. {self._cause()}"
            )
        if not self._plain and not self._halves and self.spread < _FLAT and self.low < 0:
            cause = f"{_ZCA}, or normalised by another std."
            if self.low >= -1 and self.high <= 1:
                cause = "Likely they are in -1..1: --mean 0.5 --std 0.5."
            return (
                f"The images vary by {self.spread:.2f} as they are given; images of this mean and std vary by about 1. "
                f"{cause}"
            )
        return ""

    @property
    def _halves(self) -> bool:
        """Whether -1..1 was brought to 0..1."""
        return (set(self.mean or ()), set(self.std or ())) == tuple({half} for half in _PLUS_MINUS)

    @property
    def _plain(self) -> bool:
        """Whether nothing was added or multiplied."""
        return set(self.mean or (0.0,)) == {0.0} and set(self.std or (1.0,)) == {1.0}

    def _cause(self) -> str:
        if self.low >= 0 and self.high > _BYTES:
            return f"Values that reach {self.high:.0f} are pixels in 0..255: --mean 0 --std 0.00392157."
        if self._plain:
            return f"{_ZCA}, or normalised: state the mean and std that they were normalised with."
        whitened = "Likely they were" if self.spread > _FAR else f"{_ZCA},"
        return (
            f"{whitened} normalised by another mean and std than those, or were learned far beyond black and white "
            f"(they vary by {self.spread:.2f}, normalised images by about 1); --preview grid.png shows what is left."
        )


_ZCA = (
    "Likely they are ZCA-whitened (no mean and std undoes that: its inverse does, and MTT saves what that gives as "
    "images_zca_*.pt)"
)


class Pixels(NamedTuple):
    """Images as they are stored.

    Attributes:
        canvases: uint8 [M, 3, S, S].
        loss: what that did to them; None = they were bytes.
        doubt: what makes it doubtful that these are the images that were meant; empty where nothing does.
    """

    canvases: Tensor
    loss: Loss | None = None
    doubt: str = ""


def to_pixels(images: Tensor, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> Pixels:
    """Finds the nearest images of 8 bits: ``images * std + mean``, clamped to 0..1, times 255, rounded.

    Args:
        images: uint8 or float [M, 3, S, S].
        mean: channel means; None = float images are in 0..1 as they are.
        std: channel standard deviations.

    Raises:
        RequestError: another type, values that are not finite, or outside 0..1 without a mean and std.
    """
    scale = _read_normalisation(mean, std)
    if images.dtype == torch.uint8:
        if scale is not None:
            raise RequestError("Images of type uint8 are pixels already: leave out the mean and std.")
        return _doubt(images.cpu(), None)
    if images.dtype not in _FLOATS:
        hint = ""
        if not images.is_complex() and not images.is_floating_point() and images.dtype != torch.bool:
            hint = " Pixels in 0..255: images.to(torch.uint8)."
        raise RequestError(f"Images must be uint8, or float in 0..1; found {images.dtype}.{hint}")
    if scale is None:
        _check_plain(images)
    canvases, parts = torch.empty(images.shape, dtype=torch.uint8), []
    for first in range(0, len(images), _IMAGES):
        # Doubles round as exact numbers would; float32 errs by less than it stores, but not in every last case.
        given = images[first : first + _IMAGES].detach().to("cpu", torch.float64)
        if not bool(torch.isfinite(given).all()):
            row = first + int((~torch.isfinite(given)).flatten(1).any(dim=1).nonzero()[0])
            raise RequestError(f"Image {row} holds values that are not finite.")
        values = given if scale is None else given * scale[1] + scale[0]
        inside = values.clamp(0, 1)
        rounded = (inside * 255).round()
        parts.append(_measure(given, values, inside, rounded))
        canvases[first : first + _IMAGES] = rounded.to(torch.uint8)
    loss = _join(torch.stack(parts), images.numel(), mean, std)
    return _doubt(canvases, loss)


def _doubt(canvases: Tensor, loss: Loss | None) -> Pixels:
    """Warns of what is hardly meant, so that it is seen before hours are spent on it."""
    doubt = loss.doubt if loss else ""
    if not doubt and canvases.numel() and int(canvases.max()) <= 1:
        doubt = _BLACK
    if doubt:
        warnings.warn(doubt, stacklevel=3)
    return Pixels(canvases, loss, doubt)


def _measure(given: Tensor, values: Tensor, inside: Tensor, rounded: Tensor) -> Tensor:
    """Of some images: values clamped, largest clamp, largest rounding, least, largest, sum, sum of squares."""
    moved = (inside - values).abs()
    figures = [(moved > _HALF_A_STEP).sum(), moved.max(), (rounded / 255 - inside).abs().max()]
    return torch.stack([*(each.double() for each in figures), given.min(), given.max(), given.sum(), (given**2).sum()])


def _join(parts: Tensor, count: int, mean: Sequence[float] | None, std: Sequence[float] | None) -> Loss:
    average = float(parts[:, 5].sum()) / count
    return Loss(
        mean=None if mean is None else tuple(float(value) for value in mean),
        std=None if std is None else tuple(float(value) for value in std),
        clamped=float(parts[:, 0].sum()) / count,
        clamp_error=float(parts[:, 1].max()),
        rounding_error=float(parts[:, 2].max()),
        low=float(parts[:, 3].min()),
        high=float(parts[:, 4].max()),
        spread=math.sqrt(max(0.0, float(parts[:, 6].sum()) / count - average**2)),
    )


def _read_normalisation(mean: Sequence[float] | None, std: Sequence[float] | None) -> tuple[Tensor, Tensor] | None:
    """Mean and std as float64 [3, 1, 1]; None where neither is stated."""
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise RequestError("Images were normalised with a mean and a std: state both, or neither.")
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, 3) or not all(math.isfinite(value) for value in values):
            raise RequestError(f"The {name} must be three numbers, or one for all channels; found {list(values)}.")
    if min(std) <= 0:
        raise RequestError(f"The std must be positive; found {list(std)}.")
    first, second = (torch.tensor(list(values), dtype=torch.float64).expand(3).view(3, 1, 1) for values in (mean, std))
    return first, second


def _check_plain(images: Tensor) -> None:
    low, high = (float(value) for value in torch.aminmax(images.detach()))
    # Written so that NaN, which compares as neither, is refused too.
    if low >= 0 and high <= 1:
        return
    found = f"Images must be uint8, or float in 0..1; found {images.dtype} in {low:.3g}..{high:.3g}."
    if low >= 0 and _BYTES < high <= 255:
        raise RequestError(f"{found} Pixels in 0..255 are --mean 0 --std 0.00392157.")
    if low >= -1 and high <= 1:
        raise RequestError(f"{found} Pixels in -1..1 are --mean 0.5 --std 0.5.")
    raise RequestError(
        f"{found} Undo the normalisation: state the channels' mean and std (--mean 0.49,0.48,0.45 --std 0.25,0.24,0.26)"
        ". Plain pixels that only overshoot are --mean 0 --std 1, pixels in 0..255 --mean 0 --std 0.00392157."
    )
