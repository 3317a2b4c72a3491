"""Contextual diversity: k-center in the divergence of predictions (Agarwal et al., ECCV 2020, arXiv 2008.05723).

As in DeepCore, rows are compared by their own softmax; the paper mixes those of all boxes of a class first, which one
image of one class has none of. The proxy is any trained network (10 to 40 epochs in DeepCore).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, by_rank, farthest_first, log_probabilities

_SMALLEST = 1e-8
"""Probabilities count as no smaller: those of 0 would be infinitely far from all others."""


class ContextualDiversity(Selector):
    """Rows whose predicted distributions are far from one another, by the symmetric KL divergence."""

    name: ClassVar[str] = "contextual-diversity"
    paper: ClassVar[str] = "arXiv 2008.05723"

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        logits = context.predictions().logits

        def choose(rows: Tensor, count: int) -> Choice:
            logs = log_probabilities(logits, rows, _SMALLEST)
            return Choice(farthest_first(logs, count, context.resumable("picks")))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``contextual-diversity``."""
    return [ContextualDiversity]
