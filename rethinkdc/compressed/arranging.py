"""The forms in which people store images and labels, brought to the one form of a set; what was taken for what is told.

Only what can be meant in one way is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.choices import LabelForm
from rethinkdc.errors import RequestError

SUM_TOLERANCE = 0.01
"""How far from 1 the probabilities of an image may add up to: those of float16 files do not meet it exactly."""
_FLAT = 0.01
"""How far two values of smoothed one-hot labels may lie apart that were one."""


class ArrangedImages(NamedTuple):
    """Images in the form of a set.

    Attributes:
        images: [M, 3, S, S] of the type that was given.
        told: what was done, for the record.
        grey: whether the three channels are one.
    """

    images: Tensor
    told: tuple[str, ...] = ()
    grey: bool = False


class ArrangedLabels(NamedTuple):
    """Labels in the form of a set.

    Attributes:
        hard: integer [M], class indices; None = there are none.
        soft: [M, C], learned labels in the form that was stated; None = there are none.
        told: what was taken for what, for the record.
    """

    hard: Tensor | None
    soft: Tensor | None
    told: tuple[str, ...] = ()


def arrange_images(images: Tensor) -> ArrangedImages:
    """Brings square images to [M, 3, S, S]: channels first, grey ones three times as image files are read.

    Raises:
        RequestError: they are no batch of square colour or grey images; says what to do about it.
    """
    shape = tuple(images.shape)
    if images.numel() and images.ndim == 4:
        if shape[1] == 3 and shape[2] == shape[3]:
            return ArrangedImages(images)
        if shape[1] == 1 and shape[2] == shape[3]:
            return _repeat(images)
        if shape[3] in (1, 3) and shape[1] == shape[2]:
            first = images.permute(0, 3, 1, 2)
            told = "images: the channels stood last"
            return ArrangedImages(first, (told,)) if shape[3] == 3 else _repeat(first, told)
    if images.numel() and images.ndim == 3 and shape[1] == shape[2]:
        return _repeat(images[:, None])
    hint = ""
    if images.ndim == 4 and 4 in (shape[1], shape[3]):
        hint = " Four channels are colours and a mask: keep three, images[:, :3] where they stand first."
    elif images.ndim == 2:
        hint = " Rows of a table are no images: give them their shape, images.reshape(-1, 3, S, S)."
    elif images.ndim == 5:
        hint = " Images by class are joined by images.flatten(0, 1), labels in the same order."
    raise RequestError(
        "Images must be square, [M, 3, S, S] with at least one image ([M, S, S, 3], and grey [M, 1, S, S], [M, S, S, "
        f"1] or [M, S, S] are read too); found {list(shape)}.{hint}"
    )


def arrange_labels(labels: Sequence[Tensor], count: int, form: LabelForm | None) -> ArrangedLabels:
    """Tells class indices from learned labels.

    Class indices are whole numbers, also as floats, in a column [M, 1], or one-hot; other rows [M, C] are learned.

    Args:
        labels: one or two tensors of the file.
        count: images.
        form: what rows [M, C] are said to be; None = nothing is said, and only one-hot ones are read.

    Raises:
        RequestError: they are neither, of two meanings, or learned in a form that nobody states.
    """
    told: list[str] = []
    hard: list[Tensor] = []
    soft: list[Tensor] = []
    for label in labels:
        bare = label.detach()
        if bare.ndim == 2 and bare.shape[1] == 1:
            bare = bare[:, 0]
            told.append("labels: a column")
        elif bare.ndim == 2 and tuple(bare.shape) == (1, count) and count > 1:
            bare = bare[0]
            told.append("labels: a row")
        if bare.ndim == 1 and _is_whole(bare):
            if bare.is_floating_point():
                told.append(f"labels: {_name(bare)}, all whole, taken as class indices")
                bare = bare.to(torch.int64)
            hard.append(bare)
        elif bare.ndim == 2 and form is None and _is_one_hot(bare):
            told.append(f"labels: one-hot {_name(bare)}, taken as class indices")
            hard.append(bare.to(torch.uint8).argmax(dim=1))
        elif bare.ndim == 2 and bare.dtype != torch.bool and (bare.is_floating_point() or form is not None):
            soft.append(bare)
        else:
            raise RequestError(_refuse(label, count))
    if len(soft) > 1 or (len(hard) > 1 and not all(torch.equal(hard[0], other) for other in hard[1:])):
        raise RequestError(f"{_refuse(labels[0], count)} It holds {len(labels)} labels that differ.")
    if form is not None and not soft:
        raise RequestError("its labels are class indices: leave out --soft-labels.")
    if soft:
        _check_rows(soft[0], count, form)
        told.append(f"labels: learned, said to be {form}" + ("" if hard else "; the class is the largest of each"))
        told += _doubts(soft[0], hard[0] if hard else None, form)
    return ArrangedLabels(hard[0] if hard else None, soft[0] if soft else None, tuple(told))


def _doubts(soft: Tensor, hard: Tensor | None, form: LabelForm | None) -> list[str]:
    """What makes it doubtful that learned labels are what they were said to be."""
    found = []
    if form == "logits" and _adds_up(soft):
        found.append("doubtful: the labels add up to 1 in every row, as probabilities do: --soft-labels probabilities?")
    if hard is not None and len(hard) == len(soft) and (other := int((soft.argmax(1) != hard).sum())):
        found.append(f"the largest learned label is that of another class in {other:,} of {len(hard):,} images")
    return found


def _repeat(images: Tensor, *told: str) -> ArrangedImages:
    repeated = images.expand(-1, 3, -1, -1).contiguous()
    return ArrangedImages(repeated, (*told, "images: grey, repeated in three channels"), grey=True)


def _is_whole(labels: Tensor) -> bool:
    if labels.dtype == torch.bool or labels.is_complex():
        return False
    return not labels.is_floating_point() or not bool(_broken(labels).any())


def _broken(labels: Tensor) -> Tensor:
    return ~torch.isfinite(labels) | (labels != labels.round())


def _is_one_hot(labels: Tensor) -> bool:
    if labels.is_complex() or labels.shape[1] < 2 or not len(labels):
        return False
    ones = labels == 1
    return bool(((labels == 0) | ones).all()) and bool((ones.sum(dim=1) == 1).all())


def _check_rows(labels: Tensor, count: int, form: LabelForm | None) -> None:
    if len(labels) != count or not labels.shape[1]:
        raise RequestError(f"Soft labels must be float [{count}, C]; found {list(labels.shape)}.")
    if form is None:
        raise RequestError(
            f"its labels are soft: say what they are with --soft-labels logits or probabilities.{_guess(labels)}"
        )


def _guess(labels: Tensor) -> str:
    """A sentence on what rows of numbers look like."""
    values = labels.to(torch.float64)
    if _adds_up(labels):
        return " They look like probabilities: every row adds up to 1."
    top = values.max(dim=1, keepdim=True).values
    others = values[values < top]
    if len(others) == len(labels) * (labels.shape[1] - 1) and float(others.max() - others.min()) < _FLAT:
        return (
            f" They look like one-hot labels that were shifted or scaled ({float(others[0]):.3g} and "
            f"{float(top[0]):.3g}): labels.argmax(1) are their class indices."
        )
    return ""


def _adds_up(labels: Tensor) -> bool:
    values = labels.detach().to(torch.float64)
    return bool((values >= 0).all()) and bool(((values.sum(dim=1) - 1).abs() <= SUM_TOLERANCE).all())


def _refuse(label: Tensor, count: int) -> str:
    more = ""
    if label.ndim == 1 and label.is_floating_point():
        row = int(_broken(label).nonzero()[0])
        more = f"; label {row} is {float(label[row]):.6g}, no whole number"
    return (
        f"Labels must be class indices int64 [{count}] or soft labels float [{count}, C]; found {label.dtype} "
        f"{list(label.shape)}{more}."
    )


def _name(labels: Tensor) -> str:
    return f"{str(labels.dtype).removeprefix('torch.')} {list(labels.shape)}"
