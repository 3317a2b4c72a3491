"""What one batch of logits tells about each image: the columns of the trace, as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor

COLUMNS = ("p", "margin", "logit_margin", "correct", "error", "entropy", "top2", "grad", "change")
"""Columns recorded while training, one number per row and epoch.

p: probability of the true class. margin: p minus the largest other probability. logit_margin: the same of the logits.
correct: 1 or 0. error: ||p - y||_2. entropy: of p, in nats. top2: largest minus second largest probability.
grad: norm of the last layer's gradient, ||p - y||_2 sqrt(1 + ||h||_2^2) with features h (the 1 is the bias).
change: sum over classes of |p_t log(p_t / p_{t-1})|, against the row's previous epoch; 0 in the first epoch.
"""

CLEAN_COLUMNS = COLUMNS[:-1]
"""Columns observed on un-augmented rows: all but ``change``, because the listed epochs need not follow each other."""

_LOWEST = -65504.0  # the lowest finite float16


def observe(logits: Tensor, targets: Tensor, features: Tensor) -> dict[str, Tensor]:
    """All :data:`CLEAN_COLUMNS` of a batch.

    Computed in float64 and without the cancellation in 1 - p, so that the error, entropy and gradient of the easiest
    images keep their order down to 1e-38; p, margin and top2 lie next to 1 there and saturate as any float32 does.

    Args:
        logits: float [B, C], C >= 2, finite.
        targets: int64 [B].
        features: float [B, D], what the last layer read.

    Returns:
        Float32 [B] each.
    """
    logits, column = logits.double(), targets.unsqueeze(1)
    top, leader = logits.max(1, keepdim=True)
    shifted = logits - top
    weights = shifted.exp()
    # The sum of the weights beside the largest one (which is 1): log1p keeps what 1 + rest would round away.
    rest = weights.scatter(1, leader, 0.0).sum(1)
    p = weights / (1 + rest).unsqueeze(1)
    others = p.scatter(1, column, 0.0)
    true = p.gather(1, column).squeeze(1)
    missing = others.sum(1)  # 1 - p of the true class
    error = (missing.square() + others.square().sum(1)).sqrt()
    other_logit = shifted.scatter(1, column, float("-inf")).amax(1)
    highest = p.topk(2, dim=1).values
    columns = {
        "p": true,
        "margin": true - others.amax(1),
        "logit_margin": shifted.gather(1, column).squeeze(1) - other_logit,
        "correct": leader.squeeze(1) == targets,
        "error": error,
        "entropy": torch.log1p(rest) - (p * shifted).sum(1),
        "top2": highest[:, 0] - highest[:, 1],
        "grad": error * (1 + features.double().square().sum(1)).sqrt(),
    }
    return {name: values.float() for name, values in columns.items()}


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax of [B, C] as float32, not below the lowest finite float16, in which it is kept between epochs."""
    return torch.log_softmax(logits.float(), dim=1).clamp_min_(_LOWEST)


def change(now: Tensor, before: Tensor) -> Tensor:
    """Change between two epochs: sum over classes of |p_t log(p_t / p_{t-1})|, float32 [B].

    Args:
        now: log-probabilities of this epoch, float32 [B, C].
        before: those of the previous epoch, float16 or float32 [B, C]. Float16 keeps log p to 1 part in 2,000.
    """
    return (now.exp() * (now - before.float())).abs_().sum(1)
