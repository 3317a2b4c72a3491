"""How much the gradient of an input varies while a network is trained (Agarwal et al., VoG, arXiv 2008.11600)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rethinkdc.data.by_class import rows_by_class
from rethinkdc.protocol.proxy import FrozenProxy

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context


def snapshots(context: Context, name: str, epochs: Sequence[int]) -> list[FrozenProxy]:
    """A network that is trained by the proxy's recipe, as it was after some epochs: frozen, in evaluation mode.

    The shared proxy keeps its last weights alone, so this one is a run of its own, on the same seed axis.

    Args:
        context: whose training set it learns.
        name: tells it from other such networks.
        epochs: 1-based, in ascending order.
    """
    trained = context.train(
        context.protocol.proxy_recipe(), name, axis="proxy", stage="proxy", keep_epochs=tuple(epochs)
    )
    found = []
    for epoch in epochs:
        network = trained.network()
        network.load_state_dict(trained.weights(epoch))
        found.append(FrozenProxy(network, context.data, context.protocol, context.device))
    return found


def input_gradient(network: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
    """Gradient of the logit of each row's class by its input, meaned over channels: float32 [B, H, W].

    Args:
        network: logits [B, C] of inputs, of a module in evaluation mode, so that no row depends on another.
        inputs: float32 [B, channels, H, W], what the network reads.
        targets: int64 [B].
    """
    with torch.enable_grad():
        points = inputs.detach().requires_grad_()
        own = network(points).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(own, points)
    return gradient.mean(1)


def variation(gradients: Iterable[Tensor]) -> Tensor:
    """Standard deviation over snapshots, pixel by pixel, meaned over the pixels: float64 [B].

    Args:
        gradients: float [B, H, W] of one snapshot after another. Memory: twice one of them, in float64.
    """
    mean = squares = torch.zeros((), dtype=torch.float64)
    seen = 0
    for seen, gradient in enumerate(gradients, start=1):
        away = gradient.to(torch.float64) - mean
        mean = mean + away / seen
        squares = squares + away * (gradient - mean)
    return (squares / max(1, seen)).sqrt().flatten(1).mean(1)


def standardised(values: Tensor, targets: Tensor) -> Tensor:
    """Less the mean of the class, in its standard deviations (of n, not n - 1): float64 [n]; 0 where all are alike.

    Args:
        values: float64 [n].
        targets: int64 [n].
    """
    made = torch.zeros(len(values), dtype=torch.float64)
    for rows in rows_by_class(targets, len(torch.bincount(targets))):
        if len(rows) > 1:
            deviation, mean = torch.std_mean(values[rows], correction=0)
            made[rows] = (values[rows] - mean) / deviation if float(deviation) > 0 else 0.0
    return made
