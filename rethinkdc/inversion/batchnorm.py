"""Matching the statistics that BatchNorm layers see (DeepInversion; SRe2L, Yin et al., 2023, arXiv 2306.13092)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rethinkdc.inversion.channels import ChannelStatistics, channel_statistics


def is_matchable(layer: nn.Module) -> bool:
    """Whether a layer is a ``BatchNorm2d`` that keeps running statistics."""
    return isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None


def matchable(module: nn.Module) -> dict[str, nn.Module]:
    """The layers to match, by name, in the order of ``module.named_modules()``."""
    return {name: layer for name, layer in module.named_modules() if is_matchable(layer)}


def running_statistics(module: nn.Module) -> dict[str, ChannelStatistics]:
    """The running statistics of every matchable layer, as they are now."""
    return {
        name: ChannelStatistics(layer.get_buffer("running_mean"), layer.get_buffer("running_var"))
        for name, layer in matchable(module).items()
    }


def distance(found: ChannelStatistics, target: ChannelStatistics, variance: float = 1.0) -> Tensor:
    """How far one layer's statistics are from what they should be.

    ``variance`` * ||V - v||_2 + ||M - m||_2, norms over the channels that are neither squared nor divided by their
    number: SRe2L's recover/utils.py; the weight is DWA's.

    Returns:
        A scalar, to which gradients of ``found`` flow.
    """
    off_variance: Tensor = torch.linalg.vector_norm(target.variance - found.variance)
    off_mean: Tensor = torch.linalg.vector_norm(target.mean - found.mean)
    return variance * off_variance + off_mean


class BatchNormMatching:
    """Sees what the BatchNorm layers of a frozen network are given, and says how far it is from a target.

    A context manager: hooks sit on the layers inside, and never outlive it. A layer that the network calls more than
    once in a forward pass is seen as it was last; one that it does not call does not count.

    Args:
        module: in evaluation mode, so that its running statistics stay.
        targets: what each layer's input should have, by the layer's name, layers that are left out do not count;
            None = the layers' running statistics.

    Raises:
        ValueError: a target is for no layer of the network, or for another number of channels.
    """

    def __init__(self, module: nn.Module, targets: Mapping[str, ChannelStatistics] | None = None) -> None:
        self.module = module
        self.layers = matchable(module)
        running = running_statistics(module)
        wanted = running if targets is None else targets
        for name, target in wanted.items():
            if name not in running or target.mean.shape != running[name].mean.shape:
                raise ValueError(f"A target for {name!r} of {len(target.mean)} channels fits none of {list(running)}.")
        self.targets = {
            name: ChannelStatistics(*(part.to(running[name].mean) for part in target))
            for name, target in wanted.items()
        }
        self._seen: dict[str, ChannelStatistics] = {}
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> BatchNormMatching:
        self._hooks.append(self.module.register_forward_pre_hook(lambda *_: self._seen.clear()))
        for name, layer in self.layers.items():
            self._hooks.append(layer.register_forward_pre_hook(self._seeing(name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        # What was seen holds on to the graph of the last forward pass.
        self._seen.clear()

    def loss(self, first: float = 10.0, variance: float = 1.0) -> Tensor:
        """The distances of all layers in the last forward pass, added up.

        Args:
            first: multiplier of the network's first layer.
            variance: weight of the variances beside the means.

        Returns:
            A scalar, with gradients.

        Raises:
            RuntimeError: no layer was called inside.
        """
        if not self._seen:
            raise RuntimeError("No BatchNorm layer was called since the matching began: run the network inside it.")
        weights = [first if index == 0 else 1.0 for index in range(len(self.layers))]
        terms = [
            weight * distance(self._seen[name], self.targets[name], variance)
            for name, weight in zip(self.layers, weights, strict=True)
            if name in self._seen and name in self.targets
        ]
        return torch.stack(terms).sum()

    def _seeing(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            self._seen[name] = channel_statistics(given[0])

        return see
