"""Steps that seek flat places: the gradient is taken where the loss is highest nearby (ASAM, GSAM)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

_EPSILON = 1e-12


def flatten(model: nn.Module, rho: float, alpha: float, again: Callable[[], object]) -> None:
    """Puts another gradient in the place of that of a step (GSAM, arXiv 2203.08065, on ASAM's ascent, 2102.11600).

    With g the gradient at the weights w, weights climb by e = rho w^2 g / || w g ||, each to where their loss is high.
    There g' is taken, and of it alpha times that part of g is subtracted which stands at right angles to g'. Weights,
    and statistics of BatchNorm, are afterwards what they were. As SGD of AngusDujw/FTD-distillation at 711532a has it.

    Args:
        model: its trainable parameters hold the gradients g; afterwards those to step by.
        rho: radius of the ascent.
        alpha: weight of the gap between the loss there and here.
        again: puts the gradients at the weights as they are then into the same parameters.
    """
    weights = [weight for weight in model.parameters() if weight.grad is not None]
    buffers = [buffer.clone() for buffer in model.buffers()]
    with torch.no_grad():
        first = [_gradient(weight).clone() for weight in weights]
        reach = _norm([weight.abs() * gradient for weight, gradient in zip(weights, first, strict=True)])
        scale = rho / (reach + _EPSILON)
        ascents = [gradient * scale * weight.square() for weight, gradient in zip(weights, first, strict=True)]
        for weight, ascent in zip(weights, ascents, strict=True):
            weight.add_(ascent)
    again()
    with torch.no_grad():
        for weight, ascent in zip(weights, ascents, strict=True):
            weight.sub_(ascent)
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        there = [_gradient(weight) for weight in weights]
        along, here = _norm(there), _norm(first)
        inner = torch.stack([(one * other).sum() for one, other in zip(first, there, strict=True)]).sum()
        share = inner / (along * here + _EPSILON) * here / (along + _EPSILON)
        for gradient, before in zip(there, first, strict=True):
            gradient.sub_(alpha * (before - share * gradient))


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum().sqrt()
