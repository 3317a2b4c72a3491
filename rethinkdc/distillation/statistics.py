"""One streamed pass of a network over a training set that gathers the statistics of what its layers are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rethinkdc.distillation.batchnorm import is_matchable
from rethinkdc.distillation.channels import ChannelStatistics, channel_statistics
from rethinkdc.distillation.moments import Moments, SampleMoments

Gathered = dict[str, dict[str, Moments]]
"""Moments by the name of a kind, then by the name of a layer in the network, in the network's order."""


@dataclass(frozen=True)
class Statistic:
    """A kind of statistic: which layers it looks at, and what it makes of their inputs.

    A further kind (channels or patches at convolutions) is one more instance; :func:`gather` takes any number of them
    in one pass.

    Attributes:
        name: tells it from the others of a pass.
        looks_at: whether it looks at the input of a layer.
        measure: k numbers per image of an input [B, c, h, w], for any batch size; k is the layer's own.
        overall: the same k numbers of all images together, through which gradients flow, of the first order only.
    """

    name: str
    looks_at: Callable[[nn.Module], bool]
    measure: Callable[[Tensor], SampleMoments]
    overall: Callable[[Tensor], ChannelStatistics] = channel_statistics


def channel_moments(given: Tensor) -> SampleMoments:
    """Mean and variance of each channel over the places of each image: [B, c, h, w] -> two float32 [B, c]."""
    variance, mean = torch.var_mean(given.float(), dim=(2, 3), correction=0)
    return SampleMoments(given.shape[2] * given.shape[3], mean, variance)


BATCHNORM = Statistic("batchnorm", is_matchable, channel_moments)
"""What BatchNorm layers normalise: the statistics that SRe2L matches for all classes at once, LPLD class by class."""


@torch.no_grad()
def gather(
    module: nn.Module,
    kinds: Sequence[Statistic],
    batches: Iterable[tuple[Tensor, Tensor]],
    groups: int = 1,
    moments: type[Moments] = Moments,
    *,
    begun: Gathered | None = None,
    ended: Callable[[Gathered], None] = lambda _: None,
) -> Gathered:
    """Runs a network over batches and gathers what its layers are given, per group.

    Moments are kept in float64 and merged exactly; the memory is that of one batch, and of G * k numbers per layer. A
    layer that the network never calls is left out; one that it calls more than once counts as it was called last.

    Args:
        module: in evaluation mode; its hooks are gone afterwards.
        kinds: what to gather, with different names.
        batches: inputs as the module takes them, and the group of each (int64 [B], 0 to G - 1).
        groups: G; the classes, or 1 where all groups are 0. :meth:`Moments.overall` joins groups afterwards.
        moments: how batches are joined: exactly, or as moving averages (:class:`MovingMoments`).
        begun: what was gathered of earlier batches, which is added to in place.
        ended: called after each batch with what is gathered so far.
    """
    gathered: Gathered = {kind.name: dict((begun or {}).get(kind.name, {})) for kind in kinds}
    seen: dict[tuple[str, str], SampleMoments] = {}
    names = {kind.name: [name for name, layer in module.named_modules() if kind.looks_at(layer)] for kind in kinds}
    with ExitStack() as hooks:
        for kind in kinds:
            for name in names[kind.name]:
                hooks.callback(
                    module.get_submodule(name).register_forward_pre_hook(_measuring(kind, name, seen)).remove
                )
        for inputs, owner in batches:
            seen.clear()
            module(inputs)
            for (kind_name, name), measured in seen.items():
                layers = gathered[kind_name]
                if name not in layers:
                    layers[name] = moments.empty(groups, measured.mean.shape[1])
                layers[name].add(measured, owner)
            ended(gathered)
    return {kind: {name: gathered[kind][name] for name in names[kind] if name in gathered[kind]} for kind in gathered}


def flattened(gathered: Gathered) -> dict[str, Tensor]:
    """For one file: names are joined by a vertical bar, which no module's name holds."""
    return {
        f"{kind}|{layer}|{name}": tensor
        for kind, layers in gathered.items()
        for layer, moments in layers.items()
        for name, tensor in moments.tensors().items()
    }


def unflattened(tensors: Mapping[str, Tensor], module: nn.Module, moments: type[Moments] = Moments) -> Gathered:
    """What :func:`flattened` gave, with the layers in the order of ``module``."""
    parts: dict[str, dict[str, dict[str, Tensor]]] = {}
    for key, tensor in tensors.items():
        kind, layer, name = key.split("|")
        parts.setdefault(kind, {}).setdefault(layer, {})[name] = tensor
    order = [name for name, _ in module.named_modules()]
    return {
        kind: {layer: moments.of_tensors(layers[layer]) for layer in order if layer in layers}
        for kind, layers in parts.items()
    }


def _measuring(
    kind: Statistic, name: str, seen: dict[tuple[str, str], SampleMoments]
) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def measure(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[kind.name, name] = kind.measure(given[0])

    return measure
