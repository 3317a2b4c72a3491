"""What a test run amounts to: fractions, computed in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def classification_metrics(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Top-1, top-5 (top-C below five classes) as fractions, and the mean cross-entropy in nats.

    Args:
        logits: float [N, C].
        targets: int64 [N].
    """
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = best == targets[:, None]
    return {
        "top1": float(hits[:, 0].double().mean()),
        "top5": float(hits.any(dim=1).double().mean()),
        "loss": float(nn.functional.cross_entropy(logits.double(), targets)),
    }


def per_class_top1(logits: Tensor, targets: Tensor, classes: int) -> list[float]:
    """Top-1 of each class as a fraction: length ``classes``."""
    hits = (logits.argmax(dim=1) == targets).double()
    total = torch.zeros(classes, dtype=torch.float64).index_add_(0, targets, hits)
    return (total / torch.bincount(targets, minlength=classes).clamp(min=1)).tolist()
