"""Recovering a batch of images from a network: cross-entropy and BatchNorm statistics of augmented views (SRe2L)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.inversion.batchnorm import BatchNormMatching
from rethinkdc.inversion.channels import ChannelStatistics
from rethinkdc.inversion.optimise import optimise
from rethinkdc.inversion.priors import mean_norm, total_variation


class Recipe(NamedTuple):
    """How a batch is recovered.

    Attributes:
        iterations: T.
        lr: of the first iteration.
        bn_weight: of the BatchNorm term beside the cross-entropy.
        first: multiplier of the first BatchNorm layer.
        variance: weight of the variances beside the means.
        tv: weight of the views' total variation; 0 = not computed.
        l2: weight of the views' mean norm; 0 = not computed.
    """

    iterations: int
    lr: float
    bn_weight: float
    first: float = 10.0
    variance: float = 1.0
    tv: float = 0.0
    l2: float = 0.0


def recover(
    images: Tensor,
    labels: Tensor,
    module: nn.Module,
    recipe: Recipe,
    *,
    view: Callable[[Tensor, int], Tensor],
    low: Tensor,
    high: Tensor,
    targets: Mapping[str, ChannelStatistics] | None = None,
    where: str = "the images",
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Optimises images until a network sees their classes, with the statistics of real images.

    Loss: CE(f(A), y) + bn_weight * sum over BatchNorm layers, A the views of the images in this iteration;
    where the recipe has weights for them, + tv * TV(A) + l2 * mean ||A||.

    Args:
        images: normalised, [B, 3, S, S], where to begin; left as they are.
        labels: int64 [B], on the images' device.
        module: frozen, in evaluation mode.
        recipe: the numbers.
        view: the views of the images in a 0-based iteration, through which gradients flow.
        low: smallest value of each channel.
        high: largest value.
        targets: statistics to match, by the layers' names; None = the network's running ones.
        where: what an error calls the batch.
        advance: called with the number of iterations done since the last call.

    Returns:
        The last iterate, float32 [B, 3, S, S].

    Raises:
        DivergedImagesError: a loss was not finite.
    """
    with BatchNormMatching(module, targets) as matching:

        def loss(current: Tensor, iteration: int) -> Tensor:
            shown = view(current, iteration)
            logits = module(shown).float()
            statistics = matching.loss(recipe.first, recipe.variance)
            total = F.cross_entropy(logits, labels) + recipe.bn_weight * statistics
            if recipe.tv:
                total = total + recipe.tv * total_variation(shown)
            if recipe.l2:
                total = total + recipe.l2 * mean_norm(shown)
            return total

        return optimise(
            images,
            loss,
            iterations=recipe.iterations,
            lr=recipe.lr,
            low=low,
            high=high,
            where=where,
            advance=advance,
        )
