"""What may have happened to the pixels of a finished set, each as the images that it then would have shown."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from rethinkdc.compressed.pixels import to_pixels
from rethinkdc.errors import RequestError
from rethinkdc.notes import PixelsNote

T = TypeVar("T")
Numbers = tuple[float, ...]

KNOWN: dict[str, tuple[Numbers, Numbers]] = {
    "CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "CIFAR-10 (its pixels' own std)": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR-100": ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)),
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "MNIST": ((0.1307,), (0.3081,)),
    "0.5 and 0.5": ((0.5,), (0.5,)),
}
"""Mean and std of the normalisations in common use."""
_WHOLE = 1e-5
"""Rounding, in 0..1, up to which a value was a byte: float32 errs by less."""
_SHADES = 8
PLAIN = {"pixels in 0..1": ((0.0,), (1.0,)), "pixels in 0..255": ((0.0,), (1 / 255,))}


class Hypothesis(NamedTuple):
    """Something that may have happened.

    Attributes:
        name: what it is.
        remedy: what to type or do if it did.
        canvases: uint8 [M, 3, S, S], the images as they were before.
        exact: whether every value then is a whole byte, which no other mean and std make of images that were bytes.
    """

    name: str
    remedy: str
    canvases: Tensor
    exact: bool = False


class Shown(NamedTuple):
    """Images under a mean and std: uint8 [M, 3, S, S], and whether storing them as bytes changed nothing."""

    canvases: Tensor
    exact: bool


def is_exact(pixels: PixelsNote | None, canvases: Tensor) -> bool:
    """Whether storing float images as bytes changed nothing; of two or three shades that tells nothing.

    Args:
        pixels: what storing them cost, as the card says it; None = they were bytes.
        canvases: uint8 [M, 3, S, S], what was stored.
    """
    if pixels is None or pixels.clamped or pixels.rounding_error > _WHOLE:
        return False
    return len(canvases.unique()) >= _SHADES


def of_given(
    read: Callable[[Numbers, Numbers], Shown], own: tuple[Numbers, Numbers] | None, stated: Tensor
) -> Iterator[Hypothesis]:
    """Float images that were normalised otherwise than stated.

    Args:
        read: reads them under a mean and std.
        own: the teacher's mean and std; None = there is no teacher.
        stated: uint8 [M, 3, S, S], the images as they are read.
    """
    for name, (mean, std) in {**KNOWN, **({"the teacher's own": own} if own else {}), **PLAIN}.items():
        try:
            shown = _quietly(partial(read, mean, std))
        except RequestError:
            # Grey images with three means, for one.
            continue
        if not torch.equal(shown.canvases, stated):
            yield Hypothesis(f"normalised by {name}", f"--mean {_spell(mean)} --std {_spell(std)}", *shown)


def of_stored(stated: Tensor, own: tuple[Numbers, Numbers]) -> Iterator[Hypothesis]:
    """Pixels that were stored after one normalisation too many or too few."""
    pixels = stated.double() / 255
    for name, (mean, std) in {**KNOWN, "the teacher's own": own}.items():
        undo = f"images * std + mean with mean {_spell(mean)} and std {_spell(std)}"
        yield Hypothesis(f"stored still normalised by {name}", undo, _quietly(partial(_shown, pixels, mean, std)))
        back = tuple(-m / s for m, s in zip(_three(mean), _three(std), strict=True))
        again = tuple(1 / s for s in _three(std))
        yield Hypothesis(
            f"un-normalised once too often by {name}",
            f"(images - mean) / std with mean {_spell(mean)} and std {_spell(std)}",
            _quietly(partial(_shown, pixels, back, again)),
        )


def of_channels(stated: Tensor) -> Iterator[Hypothesis]:
    """Channels, brightness or sides in another order; those that change nothing are left out."""
    changes = {
        "channels as blue, green, red": ("images.flip(1)", stated.flip(1)),
        "dark for bright": ("255 - images", 255 - stated),
        "height and width exchanged": ("images.transpose(2, 3)", stated.transpose(2, 3)),
    }
    for name, (remedy, canvases) in changes.items():
        if not torch.equal(canvases, stated):
            yield Hypothesis(name, remedy, canvases.contiguous())


def _shown(pixels: Tensor, mean: Numbers, std: Numbers) -> Tensor:
    return to_pixels(pixels, mean, std).canvases


def _three(values: Numbers) -> Numbers:
    return values if len(values) == 3 else values * 3


def _spell(values: Numbers) -> str:
    return ",".join(f"{value:.6g}" for value in values)


def _quietly(make: Callable[[], T]) -> T:
    """What it would cost is no warning: it is only tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return make()
