"""How far a row is from the decision boundary (Moosavi-Dezfooli et al., DeepFool, CVPR 2016, arXiv 1511.04599)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_SMALLEST_STEP = 1e-4
"""A row that lies on a boundary must still be moved across it."""


def boundary_distances(
    network: Callable[[Tensor], Tensor], inputs: Tensor, classes: int, iterations: int, overshoot: float
) -> Tensor:
    """L2 norm of the smallest perturbation that DeepFool finds to change a prediction (algorithm 2): float32 [B].

    Args:
        network: logits [B, C] of inputs, of a module in evaluation mode; what its parameters require is left as it is.
        inputs: float32 [B, ...], what the network reads; norms are in its units.
        classes: K, the classes of the largest logits, the predicted one among them, whose boundaries are looked at.
        iterations: at most; a row that has not crossed by then is infinitely far.
        overshoot: how much further a perturbation goes to cross a boundary; it does not count in the norm.

    Returns:
        Non-negative, infinite for rows that did not cross or have no gradient. Memory: four times that of the inputs,
        beside the network's own.
    """
    with torch.no_grad():
        logits = network(inputs)
    top = logits.topk(min(classes, logits.shape[1])).indices
    distances = torch.full((len(inputs),), torch.inf, device=inputs.device)
    moved, active = torch.zeros_like(inputs), torch.arange(len(inputs), device=inputs.device)
    for _ in range(iterations):
        step = _step(network, inputs[active] + (1 + overshoot) * moved[active], top[active])
        moved[active] += step
        active = active[step.flatten(1).any(1)]
        if not len(active):
            break
        with torch.no_grad():
            logits = network(inputs[active] + (1 + overshoot) * moved[active])
        crossed = logits.gather(1, top[active, :1])[:, 0] < logits.amax(1)
        distances[active[crossed]] = moved[active[crossed]].flatten(1).norm(dim=1)
        active = active[~crossed]
        if not len(active):
            break
    return distances


@torch.enable_grad()
def _step(network: Callable[[Tensor], Tensor], points: Tensor, top: Tensor) -> Tensor:
    """To the nearest boundary of the linearised network: like ``points``; 0 where no gradient leads to any."""
    points = points.detach().requires_grad_()
    gaps = network(points)
    gaps = gaps.gather(1, top[:, 1:]) - gaps.gather(1, top[:, :1])
    nearest, step = torch.full((len(points),), torch.inf, device=points.device), torch.zeros_like(points)
    # Class by class, keeping the nearest: gradients of all classes at once would be K times the inputs.
    for index, gap in enumerate(gaps.T, start=2):
        (slope,) = torch.autograd.grad(gap.sum(), points, retain_graph=index < top.shape[1])
        norm = slope.flatten(1).norm(dim=1)
        away = (gap.detach().abs() / norm).clamp_(min=_SMALLEST_STEP)
        nearer = (norm > 0) & (away < nearest)
        nearest = torch.where(nearer, away, nearest)
        shape = (-1, *[1] * (points.ndim - 1))
        step = torch.where(nearer.view(shape), slope * (away / norm).view(shape), step)
    return step.detach()
