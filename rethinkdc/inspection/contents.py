"""What lies in a file: tensors, columns and plain values, with their types, shapes and ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rethinkdc.files.tables import Table
from rethinkdc.inspection.findings import Part

_DEPTH = 4
_CHUNK = 1 << 22
_TEXT = 60


def list_parts(content: Any, name: str = "", depth: int = _DEPTH) -> Iterator[Part]:
    """Lists what a reader of files gave, in the file's order.

    Args:
        content: a tensor, a table, a plain value, or mappings and lists of such.
        name: where it lies.
        depth: of mappings and lists that are looked into.
    """
    if isinstance(content, Tensor):
        yield _describe(content, name)
    elif isinstance(content, Table):
        for place, column in enumerate(content.columns):
            title = (content.names[place] or "(nameless)") if content.names else f"column {place + 1}"
            yield _describe(column, title) if isinstance(column, Tensor) else _texts(title, column)
    elif isinstance(content, Mapping):
        yield from _entries(content.items(), "mapping", name, depth)
    elif isinstance(content, list | tuple):
        if content and all(isinstance(item, int | float) for item in content):
            numbers = [float(item) for item in content]
            yield _range(Part(name=name, dtype="list of numbers", shape=(len(content),)), torch.tensor(numbers))
        elif content and all(isinstance(item, str) for item in content):
            yield _texts(name, tuple(content))
        else:
            yield from _entries(enumerate(content), "list", name, depth)
    else:
        yield Part(name=name, dtype=type(content).__name__, value=str(content)[:_TEXT])


def _entries(items: Any, what: str, name: str, depth: int) -> Iterator[Part]:
    listed = list(items)
    if not listed or not depth:
        yield Part(name=name, dtype=what, shape=(len(listed),))
    for key, value in listed if depth else ():
        yield from list_parts(value, f"{name}.{key}" if name else str(key), depth - 1)


def _texts(name: str, texts: tuple[str, ...]) -> Part:
    empty = sum(not text.strip() for text in texts)
    return Part(name=name, dtype="text", shape=(len(texts),), missing=empty, value=texts[0][:_TEXT] if texts else "")


def _describe(tensor: Tensor, name: str) -> Part:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta or tensor.is_quantized:
        return Part(name=name, dtype=f"{dtype}, not dense", shape=() if tensor.is_nested else tuple(tensor.shape))
    return _range(Part(name=name, dtype=dtype, shape=tuple(tensor.shape)), tensor.detach())


def _range(part: Part, numbers: Tensor) -> Part:
    """The part with the range of its numbers, a piece at a time: files may be larger than memory."""
    if numbers.is_complex() or not numbers.numel():
        return part
    low, high, missing = math.inf, -math.inf, 0
    flat = numbers.reshape(-1)
    for first in range(0, len(flat), _CHUNK):
        piece = flat[first : first + _CHUNK].double()
        finite = piece[torch.isfinite(piece)]
        missing += len(piece) - len(finite)
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return part.model_copy(update={"missing": missing, **({"low": low, "high": high} if low <= high else {})})
