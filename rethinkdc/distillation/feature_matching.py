"""What images are matched by: mean features (DM), attention (DataDAM), gradients of a network's weights (DC, DSA)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.models.penultimate import linear_classifier
from rethinkdc.training.precision import widened

EPSILON = 1e-6
"""Added to the product of two norms, as in the code of DC."""


@contextmanager
def embedding(module: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """Gives a function from images [B, 3, S, S] to what the module's linear classifier reads, with gradients.

    Float [B, d]. The hook is removed when the block ends, also by an exception.

    Raises:
        RequestError: the module ends in no linear classifier.
    """
    seen: list[Tensor] = []
    handle = linear_classifier(module).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))

    def embed(images: Tensor) -> Tensor:
        seen.clear()
        module(images)
        return seen.pop()

    try:
        yield embed
    finally:
        handle.remove()


class Seen(NamedTuple):
    """What a network makes of images.

    Attributes:
        layers: what each ReLU gives, float [B, channels, h, w], in the order of their calls.
        features: what the linear classifier reads, float [B, d].
    """

    layers: list[Tensor]
    features: Tensor


@contextmanager
def rectified(module: nn.Module) -> Iterator[Callable[[Tensor], Seen]]:
    """Gives a function from images [B, 3, S, S] to what the module's ReLUs give and its linear classifier reads.

    The hooks are removed when the block ends, also by an exception.

    Raises:
        RequestError: the module ends in no linear classifier.
    """
    layers: list[Tensor] = []
    # A copy: what follows may write in place.
    handles = [
        layer.register_forward_hook(lambda *given: layers.append(given[2].clone()))
        for layer in module.modules()
        if isinstance(layer, nn.ReLU)
    ]

    try:
        with embedding(module) as embed:

            def look(images: Tensor) -> Seen:
                layers.clear()
                features = embed(images)
                return Seen(list(layers), features)

            yield look
    finally:
        for handle in handles:
            handle.remove()


def attention_maps(layer: Tensor, power: float) -> Tensor:
    """Spatial attention of unit length: the sum over channels of |a|^power, flat (DataDAM, arXiv 2310.00093).

    Args:
        layer: float [B, channels, h, w].
        power: p.

    Returns:
        Float [B, h * w].
    """
    return F.normalize(widened(layer).abs().pow(power).sum(dim=1).flatten(1), dim=1)


def mean_distance(real: Tensor, made: Tensor) -> Tensor:
    """Squared distance of the mean features: || mean(real) - mean(made) ||^2 (DM, arXiv 2110.04181, equation 4).

    Args:
        real: float [R, d].
        made: float [m, d].
    """
    return (widened(real).mean(dim=0) - widened(made).mean(dim=0)).square().sum()


def gradient_distance(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """Sum over output rows of 1 - cosine (DC, arXiv 2006.05929, equation 10), as its code has it.

    Tensors of two or more dimensions are taken row by row, [out, everything else]; those of one dimension, biases and
    the scales of norms, count nothing.

    Args:
        real: gradients of one network's parameters.
        made: gradients of the same parameters, through which gradients flow.
    """
    distances = []
    for ours, theirs in zip(made, real, strict=True):
        if ours.ndim < 2:
            continue
        a, b = theirs.flatten(1), ours.flatten(1)
        cosine = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1) + EPSILON)
        distances.append((1 - cosine).sum())
    return torch.stack(distances).sum()


def gradient_difference(real: Sequence[Tensor], made: Sequence[Tensor], metric: Literal["mse", "l1"]) -> Tensor:
    """Sum over all numbers of their squared or absolute differences (IDC, arXiv 2205.14959, as its code has it).

    Only convolutions count: tensors of three or more dimensions.

    Args:
        real: gradients of one network's parameters.
        made: gradients of the same parameters, through which gradients flow.
        metric: ``mse`` or ``l1``.
    """
    differences = [ours - theirs for ours, theirs in zip(made, real, strict=True) if ours.ndim > 2]
    return torch.stack([(each.square() if metric == "mse" else each.abs()).sum() for each in differences]).sum()


def weight_gradients(
    module: nn.Module, images: Tensor, label: int, *, graph: bool, parameters: Sequence[Tensor] | None = None
) -> tuple[Tensor, ...]:
    """Gradients of the mean cross-entropy of one class by parameters of ``module``.

    Args:
        module: logits [B, C].
        images: normalised float [B, 3, S, S].
        label: the class of all images.
        graph: keep the graph, so that gradients of the gradients reach the images.
        parameters: by which; None = all of them.
    """
    targets = torch.full((len(images),), label, device=images.device)
    loss = F.cross_entropy(widened(module(images)), targets)
    chosen = tuple(module.parameters() if parameters is None else parameters)
    return torch.autograd.grad(loss, chosen, create_graph=graph)
