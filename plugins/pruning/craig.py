"""CRAIG: weighted rows whose gradients stand for those of all (Mirzasoleiman et al., ICML 2020, arXiv 1906.01827).

The paper picks anew every few epochs of the student's own training; here, as in DeepCore, rows are picked once, from
the last-layer gradients of a proxy (10 to 40 epochs there). A pick weighs as many rows as are nearest to it.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import (
    Choice,
    Choose,
    Selector,
    Space,
    assigned,
    by_rank,
    distance_similarity,
    locate_facilities,
    vectors_of,
)


class Craig(Selector):
    """Weighted rows whose gradients lie near those of every row, by greedy facility location."""

    name: ClassVar[str] = "craig"
    paper: ClassVar[str] = "arXiv 1906.01827"

    space: Space = Field(default="gradients", description="What is compared: last-layer gradients, or features.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        vectors = vectors_of(context.predictions(), data.targets, self.space)

        def choose(rows: Tensor, count: int) -> Choice:
            similarity = distance_similarity(vectors(rows))
            picks = locate_facilities(similarity, len(rows), count, kept=context.resumable("picks"))
            return Choice(picks, assigned(similarity, len(rows), picks))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``craig``."""
    return [Craig]
