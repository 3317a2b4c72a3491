"""ZCA whitening: images whose pixels are uncorrelated, and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 0.1
"""Added to every variance, of pixels in 0..1: that of kornia's ``ZCAWhitening`` in the code of MTT, FTD and DATM."""


@dataclass(frozen=True)
class Whitening:
    """y = (x - mean) W, and x = y W^-1 + mean, of images as rows of P numbers in 0..1.

    With the covariance U diag(s) U^T of the training images, W = U diag((s + eps)^-1/2) U^T is symmetric.

    Attributes:
        mean: float32 [P].
        matrix: float32 [P, P], W.
        inverse: float32 [P, P].
    """

    mean: Tensor
    matrix: Tensor
    inverse: Tensor

    def apply(self, pixels: Tensor) -> Tensor:
        """Whitens uint8 [B, 3, S, S], or floats in 0..1: float32 of the same shape."""
        images = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
        return ((images.flatten(1) - self.mean) @ self.matrix).view(pixels.shape)

    def undo(self, images: Tensor) -> Tensor:
        """Pixels of whitened float32 [B, 3, S, S]; they may lie beyond 0..1."""
        return (images.flatten(1) @ self.inverse + self.mean).view(images.shape)

    def to(self, device: torch.device) -> Whitening:
        """The same on a device."""
        return Whitening(self.mean.to(device), self.matrix.to(device), self.inverse.to(device))

    def tensors(self) -> dict[str, Tensor]:
        """What :func:`Whitening` is made of, by name."""
        return {"mean": self.mean, "matrix": self.matrix, "inverse": self.inverse}


def fit_whitening(batches: Iterable[Tensor]) -> Whitening:
    """The whitening of all images of uint8 batches [B, 3, S, S], of which one is held at a time; in float64."""
    count, total, squares = 0, None, None
    for batch in batches:
        rows = batch.flatten(1).double() / 255
        if total is None or squares is None:
            total, squares = torch.zeros_like(rows[0]), rows.new_zeros((rows.shape[1], rows.shape[1]))
        count += len(rows)
        total += rows.sum(dim=0)
        squares.addmm_(rows.T, rows)
    assert total is not None
    assert squares is not None
    mean = total / count
    covariance = (squares - count * torch.outer(mean, mean)) / max(1, count - 1)
    variances, axes = torch.linalg.eigh(covariance)
    spread = (variances.clamp_min(0) + EPSILON).sqrt()
    return Whitening(mean.float(), ((axes / spread) @ axes.T).float(), ((axes * spread) @ axes.T).float())
