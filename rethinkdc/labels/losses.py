"""The losses of soft labels, as pure functions; always in float32, whatever autocast is on around them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def distillation(logits: Tensor, target: Tensor, temperature: float, *, t_squared: bool = False) -> Tensor:
    """KL(softmax(target / T) || softmax(logits / T)) of each view (Hinton et al. 2015, arXiv 1503.02531).

    Args:
        logits: float [B, C], the student's.
        target: float [B, C], the teacher's logits.
        temperature: T.
        t_squared: multiply by T^2, so that the gradient does not shrink with T; off in arXiv 2502.06434.

    Returns:
        Float32 [B], in nats.
    """
    with torch.autocast(logits.device.type, enabled=False):
        ours = F.log_softmax(logits.float() / temperature, dim=1)
        theirs = F.log_softmax(target.float() / temperature, dim=1)
        losses = F.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=1)
    return losses * temperature**2 if t_squared else losses


def divergence(logits: Tensor, probabilities: Tensor, temperature: float, *, t_squared: bool = False) -> Tensor:
    """KL(probabilities || softmax(logits / T)) of each view, for targets that are no softmax of one teacher's logits.

    Args:
        logits: float [B, C].
        probabilities: float [B, C], each row sums to 1; zeros add nothing.
        temperature: T of the student's softmax.
        t_squared: multiply by T^2.

    Returns:
        Float32 [B], in nats.
    """
    with torch.autocast(logits.device.type, enabled=False):
        ours = F.log_softmax(logits.float() / temperature, dim=1)
        losses = F.kl_div(ours, probabilities.float(), reduction="none").sum(dim=1)
    return losses * temperature**2 if t_squared else losses


def mse_gt(logits: Tensor, target: Tensor, hard: Tensor, weight: float) -> Tensor:
    """Mean squared error of the logits plus ``weight`` times the cross-entropy of the view's own class.

    The objective of G-VBSM (arXiv 2311.17950) and EDC (arXiv 2404.13733). The class is that of the image under a mix,
    whatever was mixed in, as in their code.

    Args:
        logits: float [B, C].
        target: float [B, C], the teachers' logits.
        hard: int64 [B].
        weight: of the cross-entropy.

    Returns:
        Float32 [B].
    """
    with torch.autocast(logits.device.type, enabled=False):
        ours = logits.float()
        squared = (ours - target.float()).square().mean(dim=1)
        return squared + weight * F.cross_entropy(ours, hard, reduction="none")


def refined_cosine(logits: Tensor, target: Tensor, hard: Tensor, *, weight: float, smoothing: float) -> Tensor:
    """One minus the cosine of the logits and a refined label: the objective of GIFT (arXiv 2405.14736).

    The refined label is the teacher's answer at norm 1 plus ``weight`` times the smoothed class at norm 1, which has
    1 - ``smoothing`` on the view's own class and ``smoothing`` / (C - 1) on each other one. The class is that of the
    image under a mix.

    Args:
        logits: float [B, C], the student's.
        target: float [B, C], the teacher's logits.
        hard: int64 [B].
        weight: of the smoothed class.
        smoothing: share of the smoothed class that the other classes have together.

    Returns:
        Float32 [B], between 0 and 2.
    """
    with torch.autocast(logits.device.type, enabled=False):
        theirs = target.float()
        smoothed = torch.full_like(theirs, smoothing / (theirs.shape[1] - 1))
        smoothed.scatter_(1, hard[:, None], 1 - smoothing)
        refined = F.normalize(theirs, dim=1) + weight * F.normalize(smoothed, dim=1)
        return 1 - F.cosine_similarity(logits.float(), refined, dim=1)
