"""Draws: weighted and without replacement, the Beta density of DUAL, and the rows of the baseline."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.picking import random_rows
from rethinkdc.seeds import Seeds, generator
from rethinkdc.types import Budget


def draw(log_weights: Tensor, count: int, uniform: Tensor) -> Tensor:
    """Draws ``count`` rows one after the other, each with a chance proportional to its weight among those left.

    The largest log weights plus Gumbel noise are such a draw (Efraimidis and Spirakis, 2006), for weights of any range.

    Args:
        log_weights: float64 [n]; -inf rows are taken only when nothing else is left, in random order.
        count: at most n.
        uniform: float64 [n], an independent uniform number of each row: all the randomness of the draw.

    Returns:
        Positions int64 [count] in the order drawn.
    """
    noise = -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float64).tiny)))
    # Rows without weight: behind all others, among themselves by the noise.
    behind = torch.isneginf(log_weights)
    keys = torch.where(behind, noise, log_weights + noise)
    order = torch.argsort(keys, descending=True, stable=True)
    return order[torch.argsort(behind[order].to(torch.uint8), stable=True)][:count]


def dual_beta_weights(
    scores: Tensor, means: Tensor, kept: float, *, exponent: float, concentration: float = 15.0, anchors: int = 10
) -> Tensor:
    """Log weights of DUAL's Beta sampling (arXiv 2502.06905): score times a Beta density of the mean probability.

    The density's mode moves with the pruning rate r = 1 - ``kept`` from the anchor, the mean probability of the rows
    with the highest scores, towards easy rows: b = C (1 - anchor) (1 - r^exponent), a = C + 1 - b.

    Args:
        scores: float [n], not negative; NaN rows get no weight.
        means: float [n], mean probability of the true class.
        kept: share of the rows that is kept, 0 to 1.
        exponent: c_D, larger for harder datasets: 4 for CIFAR-100.
        concentration: C.
        anchors: rows whose mean is the anchor.

    Returns:
        Float64 [n], up to a constant; -inf where the score is 0 or missing.
    """
    weights = torch.nan_to_num(scores.double(), nan=0.0)
    top = torch.argsort(weights, descending=True, stable=True)[:anchors]
    b = concentration * (1 - float(means[top].double().mean())) * (1 - (1 - kept) ** exponent)
    a = concentration + 1 - b
    # Probabilities of exactly 0 or 1 would make the density infinite.
    mean = means.double().clamp(1e-6, 1 - 1e-6)
    density: Tensor = (a - 1) * mean.log() + (b - 1) * torch.log1p(-mean)
    return weights.log() + density


def baseline_rows(targets: Tensor, budget: Budget, seeds: Seeds) -> Tensor:
    """The rows of the baseline ``random``, which its controls change: int64 [total], class by class.

    Args:
        targets: int64 [N].
        budget: ``per_class`` rows of each class.
        seeds: the axis ``set`` is used.

    Raises:
        UnsupportedError: a class has fewer rows.
    """
    return random_rows(targets, budget.per_class, budget.classes, generator(seeds.of("set", "random")))
