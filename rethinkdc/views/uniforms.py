"""Counter-based random numbers: any view can be drawn again from its key, so nothing about it is stored."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

_WORD = (1 << 64) - 1


def uniforms(seed: int, op: str, epoch: int, batch: int, shape: tuple[int, ...]) -> Tensor:
    """Draws the uniforms of one stream for one batch.

    Philox is keyed by (``seed``, SHA-256 of ``op``); ``epoch`` and ``batch`` are the two high words of its 256-bit
    counter. A batch would have to use 2**128 blocks to run into the next one, so streams never overlap.

    Args:
        seed: view seed; its low 64 bits are used.
        op: name of the stream, usually the op's name.
        epoch: at least 0.
        batch: position of the batch within the epoch, at least 0.
        shape: shape of the result; filled row by row, so a longer first dimension only adds rows.

    Returns:
        float64 tensor of ``shape`` in [0, 1), multiples of 2**-53.

    Raises:
        ValueError: ``epoch`` or ``batch`` is negative.
    """
    if epoch < 0 or batch < 0:
        raise ValueError(f"Views are keyed by an epoch and a batch of at least 0; found epoch {epoch}, batch {batch}.")
    name = int.from_bytes(hashlib.sha256(op.encode()).digest()[:8], "little")
    key = np.array([seed & _WORD, name], dtype=np.uint64)
    counter = np.array([0, 0, batch, epoch], dtype=np.uint64)
    # random_raw is Philox itself; numpy's distributions may change between versions, these bits may not.
    raw = np.random.Philox(counter=counter, key=key).random_raw(math.prod(shape))
    return torch.from_numpy((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)
