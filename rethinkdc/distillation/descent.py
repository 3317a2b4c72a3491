"""Recovering a batch of images from networks: cross-entropy and statistics of augmented views (SRe2L, G-VBSM)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.distillation.layer_statistics import StatisticsMatching
from rethinkdc.distillation.optimisation import GradientSum, optimise
from rethinkdc.training.checkpoint import Resumable


class Optimisation(NamedTuple):
    """How a batch is recovered.

    Attributes:
        iterations: T.
        lr: of the first iteration.
        weight: of the statistics beside the cross-entropy.
        first: multiplier of a network's first layer that is looked at.
        variance: weight of the variances beside the means.
    """

    iterations: int
    lr: float
    weight: float
    first: float = 10.0
    variance: float = 1.0


class Turn(NamedTuple):
    """One of the networks that take turns.

    Attributes:
        matching: the network, and what its statistics should be.
        shown: images in its own normalisation, of images in the common one, with gradients; None = they are the same.
        left_out: the layers that are not looked at in a 0-based iteration; None = all are looked at.
    """

    matching: StatisticsMatching
    shown: Callable[[Tensor], Tensor] | None = None
    left_out: Callable[[int], Collection[str]] | None = None


def recover(
    images: Tensor,
    labels: Tensor,
    turns: Sequence[Turn],
    recipe: Optimisation,
    *,
    view: Callable[[Tensor, int], Tensor],
    low: Tensor,
    high: Tensor,
    prior: Callable[[Tensor], Tensor] | None = None,
    where: str = "the images",
    advance: Callable[[int], None] | None = None,
    kept: Resumable | None = None,
    summed: GradientSum | None = None,
    shares: Sequence[float] | None = None,
    shown: Callable[[int], Tensor] | None = None,
    edits: Mapping[int, Callable[[Tensor], Tensor]] | None = None,
) -> Tensor:
    """Optimises images until each network sees their classes, with the statistics of real images.

    In iteration t it is the turn of network t mod K, A being the views of the images in this iteration:
    CE(f(A), y) + weight * statistics + prior(A). With ``shares`` it is everybody's turn in each iteration, and these
    terms of all networks are added up with them.

    Args:
        images: in the common normalisation, [B, 3, S, S], where to begin; left as they are.
        labels: int64 [B], on the images' device.
        turns: the K networks, frozen, in evaluation mode.
        recipe: the numbers.
        view: the views of the images in a 0-based iteration, through which gradients flow.
        low: smallest value of each channel.
        high: largest value.
        prior: what the views themselves add to the loss; None = nothing.
        where: what an error calls the batch.
        advance: called with the number of iterations done since the last call.
        kept: where a kill left off, and where the state goes now and then; None = a kill loses the images.
        summed: adds up the loss's gradients of weights; None = only those of the images are taken.
        shares: of the K networks; None = they take turns.
        shown: the images that an iteration shows, as positions int64; None = all.
        edits: what becomes of the images before an iteration, see :func:`optimise`.

    Returns:
        The last iterate, float32 [B, 3, S, S], in the common normalisation.

    Raises:
        DivergedImagesError: a loss was not finite.
    """

    def loss(current: Tensor, iteration: int) -> Tensor:
        positions = None if shown is None else shown(iteration).to(labels.device)
        views = view(current if positions is None else current[positions], iteration)
        targets = labels if positions is None else labels[positions]
        if shares is None:
            total = _term(turns[iteration % len(turns)], views, targets, recipe, iteration)
        else:
            terms = [_term(turn, views, targets, recipe, iteration) for turn in turns]
            total = torch.stack([share * term for share, term in zip(shares, terms, strict=True)]).sum()
        return total if prior is None else total + prior(views)

    with ExitStack() as hooks:
        for turn in turns:
            hooks.enter_context(turn.matching)
        return optimise(
            images,
            loss,
            iterations=recipe.iterations,
            lr=recipe.lr,
            low=low,
            high=high,
            where=where,
            advance=advance,
            kept=kept,
            beside=[turn.matching for turn in turns],
            summed=summed,
            edits=edits,
        )


def _term(turn: Turn, views: Tensor, labels: Tensor, recipe: Optimisation, iteration: int) -> Tensor:
    """What one network adds to the loss: the cross-entropy of its classes, and its statistics."""
    matching, renormalised, left_out = turn
    if left_out is not None:
        matching.leave_out(left_out(iteration))
    logits = matching.module(views if renormalised is None else renormalised(views)).float()
    return F.cross_entropy(logits, labels) + recipe.weight * matching.loss(recipe.first, recipe.variance)
