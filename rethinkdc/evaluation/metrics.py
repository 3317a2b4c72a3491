"""What a test run amounts to: fractions, computed in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rethinkdc.measurement import Predictions

_BEST = 5
_IMAGES = 4096
"""Images whose float64 probabilities are held at a time."""


def classification_metrics(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Top-1, top-5 (top-C below five classes) as fractions, and the mean cross-entropy in nats.

    Args:
        logits: float [N, C].
        targets: int64 [N].
    """
    best = _best(logits)
    hits = best == targets[:, None]
    return {
        "top1": float(hits[:, 0].double().mean()),
        "top5": float(hits.any(dim=1).double().mean()),
        "loss": float(nn.functional.cross_entropy(logits.double(), targets)),
    }


def predictions_of(logits: Tensor, targets: Tensor) -> Predictions:
    """What is kept of logits: from it the same top-1 and top-5 follow to the bit, and the loss to float32's rounding.

    Args:
        logits: float [N, C].
        targets: int64 [N].
    """
    parts = [_predictions_of(*part) for part in zip(logits.split(_IMAGES), targets.split(_IMAGES), strict=True)]
    return Predictions(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _predictions_of(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    best, shares = _best(logits), logits.double().log_softmax(dim=1)
    hits = best == targets[:, None]
    # Of equal logits the place among the best decides, as in the metrics.
    beaten = (logits > logits.gather(1, targets[:, None])).sum(dim=1).clamp_min(best.shape[1])
    rank = torch.where(hits.any(dim=1), hits.int().argmax(dim=1), beaten)
    predicted = logits.argmax(dim=1)
    probability = shares.gather(1, predicted[:, None])[:, 0].exp().half()
    return predicted, probability, rank, shares.gather(1, targets[:, None])[:, 0].float()


def _best(logits: Tensor) -> Tensor:
    return logits.topk(min(_BEST, logits.shape[1]), dim=1).indices


def per_class_top1(logits: Tensor, targets: Tensor, classes: int) -> list[float]:
    """Top-1 of each class as a fraction: length ``classes``."""
    hits = (logits.argmax(dim=1) == targets).double()
    total = torch.zeros(classes, dtype=torch.float64).index_add_(0, targets, hits)
    return (total / torch.bincount(targets, minlength=classes).clamp(min=1)).tolist()
