"""Equality to the bit, and watches that notice what a method changes beside its result."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rethinkdc.types import Images


def require(held: object, otherwise: str) -> None:
    """Raises ``AssertionError`` with the sentence ``otherwise`` where the contract is not held."""
    if not held:
        raise AssertionError(otherwise)


def same(one: Any, other: Any) -> bool:
    """Compares to the bit, through containers."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(type(one) is type(other) and one == other)


@contextmanager
def untouched(data: Images, name: str) -> Iterator[None]:
    """Raises when the block changes a pixel or a target."""
    before = _digest_images(data)
    yield
    require(_digest_images(data) == before, f"{name} changed the training data")


def _digest_images(data: Images) -> str:
    total = hashlib.sha256(data.targets.contiguous().numpy().tobytes())
    for image in data.native(torch.arange(len(data))):
        total.update(image.contiguous().numpy().tobytes())
    return total.hexdigest()


@contextmanager
def bystander(name: str) -> Iterator[None]:
    """Raises when the block draws from, or reseeds, a generator that everyone shares."""
    # Another state each time: what reads it and puts it back gives itself away by another result.
    random.random()
    np.random.random()  # noqa: NPY002 - the shared generator is the point
    torch.rand(1)
    before = _read_global_states()
    yield
    for shared, state in _read_global_states().items():
        require(same(state, before[shared]), f"{name} touched the global random state of {shared}")


def _read_global_states() -> dict[str, Any]:
    numpy_state = np.random.get_state(legacy=True)  # noqa: NPY002
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["torch.cuda"] = torch.cuda.get_rng_state_all()
    return states
