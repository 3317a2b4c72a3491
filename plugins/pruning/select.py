"""Selection by any score: the compressor behind ``el2n:direction=easy`` and its like."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Context,
    Direction,
    Images,
    Method,
    OfKind,
    Reference,
    hookimpl,
)
from rethinkdc.pruning import Selector, pick


class Select(Selector):
    """Keeps one end, or the middle, of a score, if asked for after dropping some of an end."""

    name: ClassVar[str] = "select"

    score: Annotated[Reference, OfKind("score")] = Field(
        description="The score to rank the training rows by; scores=FILE reads one."
    )
    direction: Direction = Field(description="Which rows to keep: easy (lowest), hard (highest) or middle ranks.")
    drop_easiest: float = Field(default=0.0, ge=0, lt=1, description="Share of rows left out first, the easiest.")
    drop_hardest: float = Field(
        default=0.0, ge=0, lt=1, description="Share of rows left out first, the hardest (often mislabelled)."
    )

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        scores = context.score(self.score)
        picked = pick(
            scores,
            data.targets,
            budget.per_class,
            budget.classes,
            self.direction,
            self.balanced,
            context.generator("set", "select"),
            drop_easiest=self.drop_easiest,
            drop_hardest=self.drop_hardest,
        )
        context.note(ties_at_the_cut=picked.ties)
        return CompressedSet.of_rows(data, picked.rows)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``select``."""
    return [Select]
