"""Images and labels as plain tensors, the form in which most distilled sets are published, to a compressed set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.choices import LabelForm as LabelForm
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_IMAGES = 256
"""Images, or labels, that are converted at a time: nothing but the result grows with their number."""
_LEAST = 1e-12
"""Probabilities below it are stored as it: a logit must be finite."""
_SUM = 0.01
"""How far from 1 the probabilities of an image may add up to: those of float16 files do not meet it exactly."""
_CLASSES = 1_000_000
"""Class indices are below it: numbers beyond are no classes, and each class up to the largest takes a name."""


class Pixels(NamedTuple):
    """Images as they are stored.

    Attributes:
        canvases: uint8 [M, 3, S, S].
        clamp_error: the largest change of a pixel, in 0..1, when it was brought into 0..1.
        rounding_error: the largest change of a pixel, in 0..1, when it was rounded to a byte.
    """

    canvases: Tensor
    clamp_error: float = 0.0
    rounding_error: float = 0.0


def set_of_tensors(
    images: Tensor,
    targets: Tensor | None,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    weights: Tensor | None = None,
    soft_targets: Tensor | None = None,
    student_lr: float | None = None,
    card: Card | None = None,
) -> CompressedSet:
    """Makes a compressed set of plain tensors, every image synthetic, classes named by their index: ``class 0``.

    An index is the place of a class in its dataset, also where the dataset's own names are other numbers: no bare ones.

    Args:
        images: uint8 [M, 3, S, S], kept without a copy; or float: in 0..1, or normalised by ``mean`` and ``std``.
        targets: int64 [M], class index of each image.
        mean: channel means that float images were normalised with (three, or one for all); None = they were not.
        std: channel standard deviations of the same.
        weights: float [M], loss weights.
        soft_targets: float [M, C], learned labels as logits.
        student_lr: a learned student rate.
        card: what is known of the set; its clamp and rounding errors are set here.

    Raises:
        RequestError: shapes, types or values that cannot be a set; says which, and what was found.
    """
    check_images(images)
    targets = check_targets(targets, len(images))
    pixels = to_pixels(images, mean, std)
    part = {"canvases": pixels.canvases, "targets": targets}
    if weights is not None:
        part["weights"] = weights.detach().cpu()
    classes = int(targets.max()) + 1
    if soft_targets is not None:
        part["soft_targets"] = as_logits(_check_soft(soft_targets, len(images), classes), "logits")
        classes = soft_targets.shape[1]
    errors = {"clamp_error": pixels.clamp_error, "rounding_error": pixels.rounding_error}
    return CompressedSet.of_canvases(
        [part],
        tuple(f"class {index}" for index in range(classes)),
        student_lr=student_lr,
        card=(card or Card()).model_copy(update=errors),
    )


def check_images(images: Tensor) -> None:
    """Refuses what is no batch of square colour images.

    Raises:
        RequestError: the shape; with a hint where the channels stand last.
    """
    if images.ndim == 4 and images.shape[1] == 3 and images.shape[2] == images.shape[3] and images.numel():
        return
    hint = ""
    if images.ndim == 4 and images.shape[3] == 3 != images.shape[1]:
        hint = " The channels stand last: images.permute(0, 3, 1, 2)."
    if images.ndim == 4 and images.shape[1] == 1:
        hint = " Grey images need three channels: images.repeat(1, 3, 1, 1)."
    raise RequestError(f"Images must be [M, 3, S, S] with at least one image; found {list(images.shape)}.{hint}")


def check_targets(targets: Tensor | None, count: int) -> Tensor:
    """Checks the class indices of ``count`` images and returns them as int64 on the CPU.

    Raises:
        RequestError: there are none, or they are no class indices int64 [count].
    """
    if targets is None:
        raise RequestError("evaluate needs targets beside images [M, 3, S, S]: the class index of each, int64 [M].")
    if targets.shape != (count,) or targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
        given = f"{targets.dtype} {list(targets.shape)}"
        raise RequestError(f"targets must be int64 [{count}], the class index of each image; found {given}.")
    targets = targets.detach().to("cpu", torch.int64)
    for index in (int(targets.min()), int(targets.max())):
        if not 0 <= index < _CLASSES:
            raise RequestError(f"targets must be class indices from 0, below {_CLASSES:,}; found {index}.")
    return targets


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
        return Pixels(images.cpu())
    if images.dtype not in _FLOATS:
        raise RequestError(f"Images must be uint8, or float in 0..1; found {images.dtype}.")
    if scale is None:
        _check_plain(images)
    canvases, clamp_error, rounding_error = torch.empty(images.shape, dtype=torch.uint8), 0.0, 0.0
    for first in range(0, len(images), _IMAGES):
        # Doubles round as exact numbers would; float32 errs by less than it stores, but not in every last case.
        values = images[first : first + _IMAGES].detach().to("cpu", torch.float64)
        if not bool(torch.isfinite(values).all()):
            row = first + int((~torch.isfinite(values)).flatten(1).any(dim=1).nonzero()[0])
            raise RequestError(f"Image {row} holds values that are not finite.")
        if scale is not None:
            values = values * scale[1] + scale[0]
        inside = values.clamp(0, 1)
        rounded = (inside * 255).round()
        clamp_error = max(clamp_error, float((inside - values).abs().max()))
        rounding_error = max(rounding_error, float((rounded / 255 - inside).abs().max()))
        canvases[first : first + _IMAGES] = rounded.to(torch.uint8)
    return Pixels(canvases, clamp_error, rounding_error)


def as_logits(labels: Tensor, form: LabelForm) -> Tensor:
    """Brings learned labels to the form in which they are stored: float16 [M, C] whose softmax is the label.

    A softmax does not change when a row is shifted: the largest logit of each row becomes 0, where float16 is finest.

    Args:
        labels: float [M, C].
        form: what they are.

    Raises:
        RequestError: not finite, or no probabilities although they are said to be.
    """
    parts = enumerate(labels.detach().split(_IMAGES))
    return torch.cat([_shift(some.to("cpu", torch.float64), form, place * _IMAGES) for place, some in parts])


def images_per_class(targets: Tensor) -> int:
    """The mean over the classes that occur, rounded."""
    return max(1, round(len(targets) / max(1, len(targets.unique()))))


def _shift(labels: Tensor, form: LabelForm, first: int) -> Tensor:
    """:func:`as_logits` of a part, float64, whose first label is that of image ``first``."""
    if not bool(torch.isfinite(labels).all()):
        row = int((~torch.isfinite(labels)).any(dim=1).nonzero()[0])
        raise RequestError(f"The soft label of image {first + row} holds values that are not finite.")
    if form == "probabilities":
        sums = labels.sum(dim=1)
        wrong = (labels < 0).any(dim=1) | ((sums - 1).abs() > _SUM)
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise RequestError(
                f"The soft label of image {first + row} is no probability of each class: the least is "
                f"{float(labels[row].min()):.3g}, the sum {float(sums[row]):.3g}. Say logits if they are logits."
            )
        labels = labels.clamp_min(_LEAST).log()
    labels = labels - labels.max(dim=1, keepdim=True).values
    return labels.clamp_min(torch.finfo(torch.float16).min).to(torch.float16)


def _check_soft(soft: Tensor, count: int, classes: int) -> Tensor:
    if soft.ndim != 2 or len(soft) != count or soft.shape[1] < classes or not soft.is_floating_point():
        raise RequestError(
            f"Soft labels must be float [{count}, C] of at least {classes} classes; found {soft.dtype} "
            f"{list(soft.shape)}."
        )
    return soft


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
    if not (low >= 0 and high <= 1):
        raise RequestError(
            f"Images must be uint8, or float in 0..1; found {images.dtype} in {low:.3g}..{high:.3g}. Undo the "
            "normalisation: state the channels' mean and std (--mean 0.49,0.48,0.45 --std 0.25,0.24,0.26). Plain "
            "pixels that only overshoot are --mean 0 --std 1, pixels in 0..255 --mean 0 --std 0.00392157."
        )
