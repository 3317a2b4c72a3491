"""CA2D: RDED's crop and stitch on the images that CAD-Prune keeps (Hard Truths about Soft Labels, arXiv 2604.18811).

No code of its authors was found: crops, choice and stitching are RDED's, its pool of 300 images of each class included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Direction, Images, Method, OfKind, Reference, hookimpl
from rethinkdc.data import rows_by_class
from rethinkdc.distillation import Stitching
from rethinkdc.pruning import pick


class CA2D(Stitching):
    """Stitches the random crops that a teacher finds easiest, one of each image, from the images of highest CAD."""

    name: ClassVar[str] = "ca2d"
    paper: ClassVar[str] = "arXiv 2604.18811"

    score: Annotated[Reference, OfKind("score")] = Field(
        default=Reference(name="cad"), description="The pruning score whose end is the pool."
    )
    direction: Direction = Field(default="hard", description="Which end of the score to look at.")

    def pools(self, data: Images, budget: Budget, context: Context) -> Sequence[Tensor]:
        scores, draws = context.score(self.score), context.generator("set", "pool")
        pools, ties = [], 0
        scored = (~torch.isnan(scores)).nonzero().flatten()
        for rows in rows_by_class(data.targets, budget.classes, scored):
            count = min(self.pool, len(rows))
            picked = pick(scores[rows], torch.zeros_like(rows), count, 1, self.direction, True, draws)
            pools.append(rows[picked.rows])
            ties += picked.ties
        context.note(ties_at_the_cut=ties)
        return pools


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``ca2d``."""
    return [CA2D]
