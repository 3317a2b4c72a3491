"""In what numbers networks compute: single precision, TF32 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rethinkdc.choices import Precision
from rethinkdc.errors import RequestError

_AMPERE = (8, 0)
"""Compute capability of the first NVIDIA GPUs that have TF32 and bfloat16."""


def usual_precision(device: torch.device) -> Precision:
    """What students and proxies are trained in, where nobody says otherwise: bfloat16 beside CUDA, else float32."""
    return "bf16" if device.type == "cuda" else "float32"


def require_precision(precision: Precision, device: torch.device) -> None:
    """Checks that a device has these numbers.

    Raises:
        RequestError: it has not, and other ones would be taken for them.
    """
    if precision == "float32" or (precision == "bf16" and device.type == "cpu"):
        return
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= _AMPERE:
        return
    name = "bfloat16" if precision == "bf16" else "TF32"
    instead = "--precision float32, or bf16" if device.type == "cpu" else "--precision float32"
    raise RequestError(
        f"precision = {precision}: {name} is arithmetic of NVIDIA GPUs from Ampere on, and {device} has none; float32 "
        f"under its name would not be what the record says. Use {instead}, or another --device."
    )


@contextmanager
def computing(device: torch.device, precision: Precision) -> Iterator[None]:
    """Networks inside compute in ``precision``, and repeat themselves bit for bit; weights stay what they are.

    float32 is neither autocast nor TF32; tf32-conv has TF32 in convolutions, not in products. bf16 is autocast:
    products and convolutions take and give bfloat16, sums that would lose too much do not. What is not said by a loss's
    own float32 is as coarse as that.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before, coarse = matmul.allow_tf32, precision in ("tf32", "tf32-conv")
    chosen = cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=coarse)
    # Without the cache of cast weights: it lasts as long as this does, and the weights may be trained inside.
    cast = torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16", cache_enabled=False)
    matmul.allow_tf32 = precision == "tf32"
    try:
        with cast, chosen:
            yield
    finally:
        matmul.allow_tf32 = before


def widened(numbers: torch.Tensor) -> torch.Tensor:
    """Numbers of fewer bits than float32 as float32; others as they are."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))
