"""Facility location: every row has a pick near it (Mirzasoleiman et al., NeurIPS 2013; in DeepCore, arXiv 2204.08499).

As in DeepCore, rows are compared by the cosine of their last-layer gradients (10 to 40 epochs of a proxy there).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, Space, by_rank, cosine_similarity, locate_facilities, vectors_of


class FacilityLocation(Selector):
    """Rows that together are similar to every row of their class, by greedy facility location."""

    name: ClassVar[str] = "facility-location"
    paper: ClassVar[str] = "arXiv 2204.08499"

    space: Space = Field(default="gradients", description="What is compared: last-layer gradients, or features.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        vectors = vectors_of(context.predictions(), data.targets, self.space)

        def choose(rows: Tensor, count: int) -> Choice:
            similarity = cosine_similarity(vectors(rows))
            return Choice(locate_facilities(similarity, len(rows), count, kept=context.resumable("picks")))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``facility-location``."""
    return [FacilityLocation]
