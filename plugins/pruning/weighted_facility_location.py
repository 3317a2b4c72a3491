"""Weighted facility location: coverage in which rows count by a score (a facility location with weighted demand).

Hard or easy rows weigh more, so they draw the picks to them; the greedy choice is that of ``facility-location``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, OfKind, Reference, RequestError, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, Space, by_rank, cosine_similarity, locate_facilities, vectors_of


class WeightedFacilityLocation(Selector):
    """Rows that together are similar to every row of their class, where rows count by a score."""

    name: ClassVar[str] = "weighted-facility-location"
    paper: ClassVar[str] = "arXiv 2204.08499"

    score: Annotated[Reference, OfKind("score")] = Field(
        default=Reference(name="el2n"), description="The score that rows count by."
    )
    direction: Literal["easy", "hard"] = Field(
        default="easy", description="Which end counts most: hard (highest) or easy (lowest)."
    )
    space: Space = Field(default="features", description="What is compared: features, or last-layer gradients.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        vectors = vectors_of(context.predictions(), data.targets, self.space)
        scores = context.score(self.score).double()
        if not bool(torch.isfinite(scores).all()):
            row = int((~torch.isfinite(scores)).nonzero()[0, 0])
            raise RequestError(
                f"{self.name}: the score {self.score} of training row {row} is {float(scores[row])}; every row needs "
                "a finite one. Choose another score, or one without a pool."
            )
        # The other end counts for nothing.
        counts = scores - scores.min() if self.direction == "hard" else scores.max() - scores

        def choose(rows: Tensor, count: int) -> Choice:
            similarity, kept = cosine_similarity(vectors(rows)), context.resumable("picks")
            return Choice(locate_facilities(similarity, len(rows), count, counts[rows], kept))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``weighted-facility-location``."""
    return [WeightedFacilityLocation]
