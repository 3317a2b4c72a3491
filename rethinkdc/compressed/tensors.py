"""Images and labels as plain tensors, the form in which most distilled sets are published, to a compressed set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.choices import LabelForm as LabelForm
from rethinkdc.compressed.arranging import SUM_TOLERANCE, arrange_images
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.pixels import Pixels, to_pixels
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError

_LABELS = 256
"""Labels that are converted at a time: nothing but the result grows with their number."""
_LEAST = 1e-12
"""Probabilities below it are stored as it: a logit must be finite."""
_CLASSES = 1_000_000
"""Class indices are below it: numbers beyond are no classes, and each class up to the largest takes a name."""


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
    class_names: Sequence[str] | None = None,
) -> CompressedSet:
    """Makes a compressed set of plain tensors, every image synthetic, classes named by their index: ``class 0``.

    An index is the place of a class in its dataset, also where the dataset's own names are other numbers: no bare ones.

    Args:
        images: uint8 [M, 3, S, S], kept without a copy; or float: in 0..1, or normalised by ``mean`` and ``std``. Also
            [M, S, S, 3], and grey ones [M, 1, S, S], [M, S, S, 1] or [M, S, S], which are repeated.
        targets: int64 [M], class index of each image.
        mean: channel means that float images were normalised with (three, or one for all); None = they were not.
        std: channel standard deviations of the same.
        weights: float [M], loss weights.
        soft_targets: float [M, C], learned labels as logits.
        student_lr: a learned student rate.
        card: what is known of the set; its clamp and rounding errors are set here, and its notes tell what the images
            were taken for (``read``) and what storing them cost (``pixels``).
        class_names: what the indices mean, where the file says so itself; None = their place in the dataset.

    Raises:
        RequestError: shapes, types or values that cannot be a set; says which, and what was found.
    """
    arranged = arrange_images(images)
    if arranged.grey and any(values is not None and len(set(values)) > 1 for values in (mean, std)):
        raise RequestError("Grey images have one channel: state one mean and one std, such as --mean 0.13 --std 0.31.")
    targets = check_targets(targets, len(images))
    pixels = to_pixels(arranged.images, mean, std)
    part = {"canvases": pixels.canvases, "targets": targets}
    if weights is not None:
        part["weights"] = weights.detach().cpu()
    classes = int(targets.max()) + 1
    if soft_targets is not None:
        part["soft_targets"] = as_logits(_check_soft(soft_targets, len(images), classes), "logits")
        classes = soft_targets.shape[1]
    if class_names is not None and not classes <= len(class_names) == len(set(class_names)):
        raise RequestError(f"it names {len(class_names)} classes ({', '.join(class_names[:8])}) and has {classes}.")
    return CompressedSet.of_canvases(
        [part],
        indexed_names(classes) if class_names is None else tuple(class_names),
        student_lr=student_lr,
        numbered=class_names is None,
        card=_tell(card or Card(), arranged.told, pixels),
    )


def indexed_names(classes: int) -> tuple[str, ...]:
    """What classes of tensors are called: ``class 0``, a name that says that its number is an index."""
    return tuple(f"class {index}" for index in range(classes))


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


def as_logits(labels: Tensor, form: LabelForm) -> Tensor:
    """Brings learned labels to the form in which they are stored: float16 [M, C] whose softmax is the label.

    A softmax does not change when a row is shifted: the largest logit of each row becomes 0, where float16 is finest.

    Args:
        labels: float [M, C].
        form: what they are.

    Raises:
        RequestError: not finite, or no probabilities although they are said to be.
    """
    parts = enumerate(labels.detach().split(_LABELS))
    return torch.cat([_shift(some.to("cpu", torch.float64), form, place * _LABELS) for place, some in parts])


def _tell(card: Card, told: tuple[str, ...], pixels: Pixels) -> Card:
    """The card with what was done to the images."""
    notes, loss = dict(card.notes), pixels.loss
    if pixels.doubt:
        told = (*told, f"doubtful: {pixels.doubt}")
    if told:
        notes["read"] = [*notes.get("read", ()), *told]
    if loss:
        notes["pixels"] = loss.note
    errors = {"clamp_error": loss.clamp_error, "rounding_error": loss.rounding_error} if loss else {}
    return card.model_copy(update={"clamp_error": 0.0, "rounding_error": 0.0, **errors, "notes": notes})


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
        wrong = (labels < 0).any(dim=1) | ((sums - 1).abs() > SUM_TOLERANCE)
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
