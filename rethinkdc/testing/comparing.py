"""Equality to the bit, through containers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rethinkdc.storage import digest


def same(one: Any, other: Any) -> bool:
    """Compares to the bit, through containers."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool(_alike(one, other).all())
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(type(one) is type(other) and one == other)


def difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The fields in which two results differ, with how much of a tensor does; empty = in none."""
    told = [_tell(key, one.get(key), other.get(key)) for key in one | other if not same(one.get(key), other.get(key))]
    return ", ".join(told)


def _alike(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors are the same; what is no number is like what is none."""
    return (one == other) | ((one != one) & (other != other))


def _tell(key: str, one: Any, other: Any) -> str:
    if isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape:
        count = int((~_alike(one, other)).sum())
        return f"{key} ({count:,} of {one.numel():,} numbers)" if one.dtype == other.dtype else f"{key} (its dtype)"
    return key


def fields_that_differ(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Their names alone."""
    return ", ".join(key for key in one | other if not same(one.get(key), other.get(key)))


def digest_result(result: Any) -> str:
    """SHA-256 (hex) of what :func:`same` compares."""
    return digest(_plain(result))


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        held = value.detach().cpu().contiguous()
        return [str(held.dtype), list(held.shape), held.flatten().view(torch.uint8).numpy().tobytes().hex()]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
