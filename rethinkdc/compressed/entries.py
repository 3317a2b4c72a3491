"""Which entries of a file are its images and its labels: by names in common use, and only where one pair is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rethinkdc.compressed.parts import STUDENT_LR
from rethinkdc.errors import RequestError
from rethinkdc.files.arrays import describe

IMAGE_WORDS = frozenset({"image", "images", "img", "imgs", "x", "data", "pixels", "pictures", "canvases", "inputs"})
LABEL_WORDS = frozenset({"label", "labels", "target", "targets", "y"})
CLASS_NAMES = frozenset({"class_names", "classes", "label_names"})
"""What the names of the classes are called, in the order of their indices, each once."""
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
        class_names: what the class indices mean; None = the file does not say.
    """

    images: Tensor
    labels: list[Tensor]
    told: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


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
    """A plain list of numbers, or of tensors of one shape that hold one image or number each, as a tensor."""
    if not isinstance(value, list | tuple) or not value:
        return value
    if all(type(item) in (int, float) for item in value):
        return torch.tensor(value)
    if all(_is_tensor(item) and item.ndim <= _DIMENSIONS for item in value):
        kinds = {(item.shape, item.dtype) for item in value}
        # Two tensors may be a pair of images and labels, or of classes.
        return torch.stack([*value]) if len(kinds) == 1 and (len(value) > 2 or not value[0].ndim) else value
    return value


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, str) for item in value)


def _of_mapping(content: Mapping[Any, Any]) -> Entries:
    content, names = _take_names(content)
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
    if names is not None:
        told.append(f"classes: by the names in the file, {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}")
    return Entries(tensors[images[0]], [tensors[key] for key in labels], tuple(told), names)


def _take_names(content: Mapping[Any, Any]) -> tuple[dict[Any, Any], tuple[str, ...] | None]:
    """The content without the names of its classes, and these; labels that are names as indices into them.

    Raises:
        RequestError: it has two lists of names, or labels that are not among them.
    """
    lists = {key: value for key, value in content.items() if _is_texts(value)}
    named = [key for key, value in lists.items() if str(key).lower() in CLASS_NAMES and len(set(value)) == len(value)]
    texts = [key for key in lists if words_of(key) & LABEL_WORDS and key not in named]
    if len(named) > 1 or len(texts) > 1:
        raise RequestError(f"it holds {describe(content)}. {_several(named if len(named) > 1 else texts, 'names')}")
    rest = {key: value for key, value in content.items() if key not in named}
    names = tuple(content[named[0]]) if named else tuple(sorted(set(content[texts[0]]))) if texts else None
    for key in texts:
        assert names is not None
        if unknown := sorted(set(content[key]) - set(names)):
            raise RequestError(
                f"its labels name {unknown[0]!r}, which is none of its class names {', '.join(names[:8])}"
            )
        rest[key] = torch.tensor([names.index(text) for text in content[key]])
    return rest, names


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _several(names: list[Any], what: str) -> str:
    return f"Which {what} are meant: {', '.join(map(str, names))}? Save one pair. " if len(names) > 1 else ""
