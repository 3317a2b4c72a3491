"""Images that are smooth and small whatever they show: DeepInversion's priors, which SRe2L's code has, at weight 0."""

from __future__ import annotations

import torch
from torch import Tensor


def total_variation(images: Tensor) -> Tensor:
    """Norms of the differences of neighbours, down, across and along both diagonals, added up.

    Each of the four norms is over the whole batch [B, 3, H, W], neither squared nor divided by its number of pixels.
    """
    neighbours = [
        (images[..., 1:, :], images[..., :-1, :]),
        (images[..., :, 1:], images[..., :, :-1]),
        (images[..., 1:, 1:], images[..., :-1, :-1]),
        (images[..., 1:, :-1], images[..., :-1, 1:]),
    ]
    return torch.stack([torch.linalg.vector_norm(one - other) for one, other in neighbours]).sum()


def mean_norm(images: Tensor) -> Tensor:
    """Mean over a batch [B, 3, H, W] of the images' norms."""
    norms: Tensor = torch.linalg.vector_norm(images.flatten(1), dim=1)
    return norms.mean()
