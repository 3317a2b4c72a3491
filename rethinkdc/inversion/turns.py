"""Recovering images from several networks that take turns (G-VBSM, arXiv 2311.17950)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from rethinkdc.inversion.matched import StatisticsMatching
from rethinkdc.inversion.optimise import optimise


class Rounds(NamedTuple):
    """How a batch is recovered from several networks.

    Attributes:
        iterations: T.
        lr: of the first iteration.
        weight: of the statistics beside the cross-entropy.
        first: multiplier of a network's first layer that is looked at.
    """

    iterations: int
    lr: float
    weight: float
    first: float = 10.0


class Turn(NamedTuple):
    """One of the networks.

    Attributes:
        matching: the network, and what its statistics should be.
        shown: images in its own normalisation, of images in the common one; gradients flow.
        left_out: the layers that are not looked at in a 0-based iteration.
    """

    matching: StatisticsMatching
    shown: Callable[[Tensor], Tensor]
    left_out: Callable[[int], Collection[str]]


def recover_by_turns(
    images: Tensor,
    labels: Tensor,
    turns: Sequence[Turn],
    rounds: Rounds,
    *,
    view: Callable[[Tensor, int], Tensor],
    low: Tensor,
    high: Tensor,
    prior: Callable[[Tensor], Tensor] | None = None,
    where: str = "the images",
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Optimises images until each network sees their classes, with the statistics of real images.

    In iteration t it is the turn of network t mod K, A being the views of the images:
    CE(f(A), y) + weight * statistics + prior(A).

    Args:
        images: in the common normalisation, [B, 3, S, S], where to begin; left as they are.
        labels: int64 [B], on the images' device.
        turns: the K networks.
        rounds: the numbers.
        view: the views of the images in a 0-based iteration, through which gradients flow.
        low: smallest value of each channel.
        high: largest value.
        prior: what the views themselves add to the loss; None = nothing.
        where: what an error calls the batch.
        advance: called with the number of iterations done since the last call.

    Returns:
        The last iterate, float32 [B, 3, S, S], in the common normalisation.

    Raises:
        DivergedImagesError: a loss was not finite.
    """

    def loss(current: Tensor, iteration: int) -> Tensor:
        turn, views = turns[iteration % len(turns)], view(current, iteration)
        turn.matching.leave_out(turn.left_out(iteration))
        logits = turn.matching.module(turn.shown(views)).float()
        value = F.cross_entropy(logits, labels) + rounds.weight * turn.matching.loss(rounds.first)
        return value if prior is None else value + prior(views)

    with ExitStack() as hooks:
        for turn in turns:
            hooks.enter_context(turn.matching)
        return optimise(
            images,
            loss,
            iterations=rounds.iterations,
            lr=rounds.lr,
            low=low,
            high=high,
            where=where,
            advance=advance,
        )
