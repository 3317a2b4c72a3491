"""K-center: the farthest-point traversal of the core-set approach (Sener and Savarese, ICLR 2018, arXiv 1708.00489).

The paper starts from labelled rows; here from a random one. It seeks outliers, and is weak at few images per class:
``robust`` passes over the rows that lie farthest out. Features are those of any trained network.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Points, Selector, by_rank, farthest_points


class KCenter(Selector):
    """Rows that are each farthest from the picks before, from a random first one."""

    name: ClassVar[str] = "k-center"
    paper: ClassVar[str] = "arXiv 1708.00489"

    robust: float = Field(
        default=0.0, ge=0, lt=1, description="Share of rows that are passed over at each pick, the farthest out."
    )

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        features = context.features()

        def choose(rows: Tensor, count: int) -> Choice:
            kept = context.resumable("picks")
            return Choice(farthest_points(Points(features, rows), count, spared=self.robust, kept=kept))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``k-center``."""
    return [KCenter]
