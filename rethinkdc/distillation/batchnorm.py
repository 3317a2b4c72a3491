"""The BatchNorm layers of a network, whose statistics tell of its training images (DeepInversion, arXiv 1912.08795)."""

from __future__ import annotations

from torch import nn

from rethinkdc.distillation.channels import ChannelStatistics


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
