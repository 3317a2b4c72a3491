"""Selection by any score: the compressor behind ``el2n:direction=easy`` and its like."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Compressor
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method, OfKind, Reference
from rethinkdc.selection import pick
from rethinkdc.types import Budget, Direction, Images


class Select(Compressor):
    """Keeps one end, or the middle, of a score."""

    name: ClassVar[str] = "select"
    family: ClassVar[str] = "pruning"

    score: Annotated[Reference, OfKind("score")] = Field(description="The score to rank the training rows by.")
    direction: Direction = Field(description="Which rows to keep: easy (lowest), hard (highest) or middle ranks.")
    balance: Literal["class"] | None = Field(
        default="class", description="The same number of each class; none = one global ranking."
    )

    @property
    def balanced(self) -> bool:
        return self.balance == "class"

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        scores = context.score(self.score)
        picked = pick(
            scores,
            data.targets,
            budget.ipc,
            budget.classes,
            self.direction,
            self.balanced,
            context.generator("set", "select"),
        )
        context.note(ties_at_the_cut=picked.ties)
        return CompressedSet.of_rows(data, picked.rows)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``select``."""
    return [Select]
