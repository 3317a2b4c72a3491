"""Which entries of a file are its images and its labels: by names in common use, and only where one pair is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed.parts import STUDENT_LR
from rethinkdc.data.array_files import describe
from rethinkdc.errors import RequestError

IMAGE_WORDS = frozenset({"image", "images", "img", "imgs", "x", "data", "pixels", "pictures", "canvases", "inputs"})
LABEL_WORDS = frozenset({"label", "labels", "target", "targets", "y"})
_OTHER_SPLIT = frozenset({"test", "val", "valid", "validation", "eval"})
_RATE_WORDS = frozenset({"lr", "rate"})
_USUAL = (("images",), ("images", "labels"), ("images", "targets"))
"""Entries of which nothing needs to be told."""
_SHOWN = 8
_POSITION = re.compile(r"arr_\d+")
_WORD = re.compile(r"[^\W_]+")
_DIMENSIONS = 3
"""Images have at least as many dimensions, labels fewer."""
_KNOWN = (
    "Known: a mapping with images and labels (or data and targets, x and y, also as images_train), a pair [images, "
    "labels], images alone beside --labels FILE, or data, a list of pairs, one for each experiment."
)


class Entries(NamedTuple):
    """Images and labels as a file has them.

    Attributes:
        images: whatever shape they have.
        labels: none, one, or class indices and learned labels.
        told: which entries they are and what else there was, for the record.
    """

    images: Tensor
    labels: list[Tensor]
    told: tuple[str, ...] = ()


def words_of(name: Any) -> set[str]:
    """The words of a name in lower case: ``images_train`` -> images, train."""
    return set(_WORD.findall(str(name).lower().replace("_", " ")))


def find_entries(content: Any) -> Entries:
    """Tells images and labels apart in any of the known layouts.

    Raises:
        RequestError: there is no such pair, or more than one; says what was found.
    """
    if isinstance(content, Tensor) and content.ndim >= _DIMENSIONS:
        return Entries(content, [])
    if isinstance(content, Mapping) and content and all(_POSITION.fullmatch(str(key)) for key in content):
        # Arrays that numpy.savez was given without names.
        content = list(content.values())
    if isinstance(content, Mapping):
        return _of_mapping(content)
    if isinstance(content, list | tuple) and len(content) == 2:
        first, second = (to_labels(value) for value in content)
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            if first.ndim < _DIMENSIONS <= second.ndim:
                return Entries(second, [first], ("a pair, its labels first",))
            return Entries(first, [second])
    raise RequestError(f"it holds {describe(content)}. {_KNOWN}")


def find_labels(content: Any) -> Tensor | None:
    """The labels in a file of their own: alone, or the one entry that is named so; None where there are none."""
    if isinstance(content, Mapping):
        named = [value for key, value in content.items() if words_of(key) & LABEL_WORDS]
        every = named or list(content.values())
        content = every[0] if len(every) == 1 else None
    labels = to_labels(content)
    return labels if isinstance(labels, Tensor) else None


def to_labels(value: Any) -> Any:
    """A plain list of numbers as a tensor; all else as it is."""
    if isinstance(value, list | tuple) and value and all(type(item) in (int, float) for item in value):
        return torch.tensor(value)
    return value


def _of_mapping(content: Mapping[Any, Any]) -> Entries:
    tensors = {key: value for key, value in ((key, to_labels(content[key])) for key in content) if _is_tensor(value)}
    here = [key for key in tensors if not words_of(key) & _OTHER_SPLIT]
    images = [key for key in here if words_of(key) & IMAGE_WORDS and tensors[key].ndim >= _DIMENSIONS]
    labels = [key for key in here if words_of(key) & LABEL_WORDS and tensors[key].ndim < _DIMENSIONS]
    if not images or len(images) > 1:
        raise RequestError(f"it holds {describe(content)}. {_several(images, 'images')}{_KNOWN}")
    if len(labels) > 2:
        raise RequestError(f"it holds {describe(content)}. {_several(labels, 'labels')}{_KNOWN}")
    used = {images[0], *labels, STUDENT_LR}
    left = [key for key in content if key not in used]
    told = []
    if (images[0], *labels) not in _USUAL:
        told.append(f"images from {images[0]!r}, labels from {' and '.join(map(repr, labels)) or 'elsewhere'}")
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        told.append(f"left unread: {', '.join(map(str, left[:_SHOWN]))}{more}")
    if rates := [key for key in left if words_of(key) & _RATE_WORDS]:
        told.append(f"if {rates[0]!r} is the learned student rate, state --student-lr")
    return Entries(tensors[images[0]], [tensors[key] for key in labels], tuple(told))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _several(names: list[Any], what: str) -> str:
    return f"Which {what} are meant: {', '.join(map(str, names))}? Save one pair. " if len(names) > 1 else ""
