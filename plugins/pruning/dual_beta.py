"""DUAL's Beta sampling (Cho et al., ICML 2025, arXiv 2502.06905): draws by score, towards easy rows at high rates.

The paper draws from the whole set (``balance=none``) and sets c_D = 4 for CIFAR-100 (6 in its ImageNet code).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import (
    Budget,
    Context,
    Images,
    Method,
    OfKind,
    Reference,
    RequestError,
    Score,
    hookimpl,
)
from rethinkdc.pruning import Choice, Choose, Planned, Selector, Windowed, draw, dual_beta_weights, epoch_mean


class DUALBeta(Selector):
    """Draws rows with a chance of DUAL's score times a Beta density of their mean probability."""

    name: ClassVar[str] = "dual-beta"
    paper: ClassVar[str] = "arXiv 2502.06905"

    score: Annotated[Reference, OfKind("score")] = Field(
        default=Reference(name="dual"), description="The score; it says which epochs the mean probability is of."
    )
    exponent: float = Field(default=4.0, gt=0, description="c_D: how fast the density moves to easy rows.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:
        score = context.method(Score, self.score)
        if not isinstance(score, Windowed):
            raise RequestError(f"dual-beta reads a score of windows of epochs (dual, dyn-unc, cad), not {score.name}.")
        span = score.span(Planned(context.proxy_epochs, context.clean_epochs), context.protocol.proxy_scores)
        scores, means = context.score(self.score), epoch_mean(context.trace().column("train.p", *span))
        uniform = torch.rand(len(data), dtype=torch.float64, generator=context.generator("set", self.name, "draw"))
        # One density for all classes: the anchor and the rate are the whole set's.
        weights = dual_beta_weights(scores, means, budget.total / len(data), exponent=self.exponent)
        return lambda rows, count: Choice(draw(weights[rows], count, uniform[ranks[rows]]))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dual-beta``."""
    return [DUALBeta]
