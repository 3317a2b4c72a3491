"""Herding: rows whose mean follows the mean of all (Welling, ICML 2009; per class as in iCaRL, arXiv 1611.07725).

Features are those of any trained network; the protocol's proxy gives them. DeepCore picks the row that leads *away*
from the mean; here it is the nearest.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Points, Selector, by_rank, herd


class Herding(Selector):
    """Rows whose mean feature stays nearest to the mean of their class, pick by pick."""

    name: ClassVar[str] = "herding"
    paper: ClassVar[str] = "arXiv 1611.07725"

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        features = context.features()

        def choose(rows: Tensor, count: int) -> Choice:
            return Choice(herd(Points(features, rows), count, context.resumable("picks")))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``herding``."""
    return [Herding]
