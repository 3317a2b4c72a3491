"""D2 pruning: hard and diverse rows by messages on a neighbour graph (Maharana et al., ICLR 2024, arXiv 2310.07931).

The paper scores by forgetting on CIFAR (one run of 200 epochs; rows that were never learned count 0 in its code) and
by AUM on ImageNet, reads features of that trained network, picks class by class, and tunes ``gamma`` and ``cut`` for
each pruning rate (CIFAR-10 at 90%: ``cut=0.4``). Its graph is undirected, as in its code for CIFAR; where that code
reads neighbours from a file, as for ImageNet, it is directed: ``graph=directed``. Its mode of strata,
which picks within bands of the score, is left out.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

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
    UnsupportedError,
    hookimpl,
)
from rethinkdc.pruning import (
    Choice,
    Choose,
    Selector,
    ascending,
    by_rank,
    gather_scores,
    join,
    nearest_neighbours,
    pick_apart,
)

FORGETTING = Reference(name="forgetting", values={"never_learned": "zero"})


class D2(Selector):
    """High scores that are not near one another: what is picked lowers its neighbours' scores."""

    name: ClassVar[str] = "d2"
    paper: ClassVar[str] = "arXiv 2310.07931"
    revision: ClassVar[int] = 2

    score: Annotated[Reference, OfKind("score")] = Field(
        default=FORGETTING, description="The score whose messages are passed on."
    )
    direction: Literal["easy", "hard"] = Field(
        default="hard", description="The end that is kept: hard (highest) or easy (lowest)."
    )
    k_nn: int = Field(default=5, ge=1, description="Nearest neighbours that a row is joined to.")
    graph: Literal["undirected", "directed"] = Field(
        default="undirected", description="Whether a row also hears from, and lowers, the rows whose neighbour it is."
    )
    gamma: float = Field(default=0.1, ge=0, description="How fast a pick's influence fades with the distance.")
    cut: float = Field(
        default=0.0, ge=0, lt=1, description="Share of rows left out first, the hardest (often mislabelled)."
    )

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        hardness, features = self._finite(context.score(self.score)), context.features()
        scored = hardness[~torch.isnan(hardness)]
        # Messages add up, so the end that is left must be worth nothing.
        worth = hardness - scored.min() if self.direction == "hard" else scored.max() - hardness

        def choose(rows: Tensor, count: int) -> Choice:
            kept = self._kept(hardness[rows])
            if count > len(kept):
                raise UnsupportedError(
                    f"d2: cannot pick {count} of {len(kept)} rows that are scored and not cut. Choose a smaller --ipc."
                )
            near = nearest_neighbours(features[rows[kept]], self.k_nn, kept=context.resumable("neighbours"))
            edges = join(near, both_ways=self.graph == "undirected")
            scores = gather_scores(worth[rows[kept]], edges)
            return Choice(kept[pick_apart(scores, edges, count, self.gamma, context.resumable("picks"))])

        return by_rank(ranks, choose)

    def _finite(self, scores: Tensor) -> Tensor:
        """Float64 [N]; NaN where a row was not scored."""
        infinite = torch.isinf(scores).nonzero().flatten()
        if len(infinite):
            raise RequestError(
                f"d2: the score {self.score} of training row {int(infinite[0])} is infinite, and would reach all its "
                "neighbours. Choose a finite score, for example forgetting."
            )
        return scores.to(torch.float64)

    def _kept(self, hardness: Tensor) -> Tensor:
        """Positions of the scored rows without the hardest share, in their order."""
        scored = (~torch.isnan(hardness)).nonzero().flatten()
        ranked = scored[ascending(hardness[scored])]
        return ranked[: len(ranked) - int(self.cut * len(ranked))].sort().values


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``d2``."""
    return [D2]
