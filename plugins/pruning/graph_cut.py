"""Graph cut: rows near all others and far from one another (Iyer et al., ALT 2021, arXiv 2006.15412).

As in DeepCore, rows are compared by the cosine of their last-layer gradients (10 to 40 epochs of a proxy there), and
``lam`` is 1: from 2 on the objective is monotone.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, Space, by_rank, cut_graph, vectors_of


class GraphCut(Selector):
    """Rows that are similar to all of their class and not to one another, by greedy graph cut."""

    name: ClassVar[str] = "graph-cut"
    paper: ClassVar[str] = "arXiv 2006.15412"

    lam: float = Field(default=1.0, ge=0, description="Weight of nearness to all rows; from 2 on it is monotone.")
    space: Space = Field(default="gradients", description="What is compared: last-layer gradients, or features.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        vectors = vectors_of(context.predictions(), data.targets, self.space)

        def choose(rows: Tensor, count: int) -> Choice:
            return Choice(cut_graph(vectors(rows), count, self.lam, context.resumable("picks")))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``graph-cut``."""
    return [GraphCut]
