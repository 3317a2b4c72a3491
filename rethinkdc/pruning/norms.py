"""Norms of the gradients of single rows over all parameters of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

_CHUNK_BYTES = 1 << 28
"""Gradients that are held at a time: 256 MiB; at least those of one row."""


def gradient_norms(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """L2 norm of each row's gradient of the cross-entropy: float64 [B] (Paul et al., arXiv 2107.07075, definition 2.1).

    Args:
        network: in evaluation mode, so that no row's gradient depends on another row; it is left as it is.
        inputs: float [B, ...], what the network reads.
        targets: int64 [B].
    """
    if network.training:
        raise ValueError("The network must be in evaluation mode: batch statistics would mix the rows.")
    parameters = {name: value.detach() for name, value in network.named_parameters()}
    buffers = dict(network.named_buffers())

    def loss(parameters: dict[str, Tensor], image: Tensor, target: Tensor) -> Tensor:
        logits = functional_call(network, (parameters, buffers), (image[None],))
        return nn.functional.cross_entropy(logits.to(torch.float32), target[None], reduction="sum")

    of_rows = vmap(grad(loss), in_dims=(None, 0, 0))
    size = max(1, _CHUNK_BYTES // sum(value.nbytes for value in parameters.values()))
    parts = zip(inputs.split(size), targets.split(size), strict=True)
    return torch.cat([_norms(of_rows(parameters, *part)) for part in parts])


def _norms(gradients: dict[str, Tensor]) -> Tensor:
    squares = [value.flatten(1).square().sum(1, dtype=torch.float64) for value in gradients.values()]
    return torch.stack(squares).sum(0).sqrt()
