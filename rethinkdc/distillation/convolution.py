"""What convolutions are given, by channel and by patch: the further statistics of G-VBSM (arXiv 2311.17950)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from rethinkdc.distillation.channels import ChannelStatistics, channel_statistics
from rethinkdc.distillation.moments import SampleMoments
from rethinkdc.distillation.statistics import Statistic, channel_moments
from rethinkdc.views.matrix import resampling


def is_convolution(layer: nn.Module) -> bool:
    """Whether a layer is a ``Conv2d``."""
    return isinstance(layer, nn.Conv2d)


def patch_moments(given: Tensor, side: int) -> SampleMoments:
    """Mean and variance of each patch over its pixels and all channels, of each image.

    The grid is of ``side`` x ``side`` pixels each; heights and widths that it does not divide are first resampled up to
    the next that it does, bilinearly.

    Args:
        given: [B, c, h, w].
        side: q, pixels per side of a patch.

    Returns:
        Two float32 [B, k], k = ceil(h / q) * ceil(w / q) patches, row by row; of c * q * q values each.
    """
    given, rows, columns = _on_grid(given, side)
    # Channels last, as networks have them here: a patch is then made of runs of memory.
    patches = given.permute(0, 2, 3, 1).unflatten(2, (columns, side)).unflatten(1, (rows, side)).transpose(2, 3)
    variance, mean = torch.var_mean(patches.flatten(3).flatten(1, 2), dim=2, correction=0)
    return SampleMoments(given.shape[1] * side**2, mean, variance)


def patch_statistics(given: Tensor, side: int) -> ChannelStatistics:
    """What :func:`patch_moments` says of all images together: float32 [k] both, with gradients of the first order.

    The pixels of one place, of all images and channels, are first taken as one channel of :func:`channel_statistics`,
    whose backward pass is a third of the time of autograd's; then the places of a patch are joined exactly.
    """
    given, rows, columns = _on_grid(given, side)
    statistics = channel_statistics(given.permute(0, 2, 3, 1).flatten(1, 2).unsqueeze(3))
    means, variances = (
        part.view(rows, side, columns, side).transpose(1, 2).flatten(2).flatten(0, 1) for part in statistics
    )
    between, mean = torch.var_mean(means, dim=1, correction=0)
    return ChannelStatistics(mean, variances.mean(dim=1) + between)


def _on_grid(given: Tensor, side: int) -> tuple[Tensor, int, int]:
    """The input at a size that the grid divides, float32, and the patches down and across."""
    rows, columns = (-(-length // side) for length in given.shape[2:])
    return _resampled(given.float(), rows * side, columns * side), rows, columns


def _resampled(given: Tensor, height: int, width: int) -> Tensor:
    """[B, c, h, w] to a larger size: ``F.interpolate`` as matrix products, whose gradients a GPU can repeat."""
    for dim, length in ((2, height), (3, width)):
        extent = given.shape[dim]
        if extent == length:
            continue
        whole = torch.tensor([0, extent], device=given.device)
        matrix = resampling(whole[:1], whole[1:], extent, length, "bilinear")[0].to(given)
        given = given @ matrix.T if dim == 3 else matrix @ given
    return given


CONVOLUTION = Statistic("convolution", is_convolution, channel_moments)
"""The channels of what convolutions are given."""


def patches(side: int) -> Statistic:
    """The patches of ``side`` x ``side`` pixels of what convolutions are given."""
    return Statistic(
        f"patches-{side}", is_convolution, partial(patch_moments, side=side), partial(patch_statistics, side=side)
    )
