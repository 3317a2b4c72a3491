"""A random share of the stored labels, used again and again (LPLD, arXiv 2410.15919)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.contracts import Context, Method, hookimpl
from rethinkdc.labels import Coding, Dense, Quantised, StoredLabeler, StudentTraining, pruned


class SoftPruned(StoredLabeler):
    """The first of ``ratio`` parts of the stored batches; each step draws one of them at random, with replacement.

    A step draws among the batches of its own size, so that an epoch shows as many views as ever; at least one epoch's
    batches are stored. The authors draw among full batches alone.
    """

    name: ClassVar[str] = "soft-pruned"
    paper: ClassVar[str] = "arXiv 2410.15919"

    ratio: float = Field(
        default=10.0, ge=1, description="How many times fewer labels than soft-stored; the paper: 10 to 40."
    )
    dtype: Literal["float16", "float32", "uint8"] = Field(
        default="float16", description="Of the stored logits; uint8 = quantised between each view's extremes."
    )

    def coding(self, classes: int, context: Context) -> Coding:  # noqa: ARG002
        return Quantised() if self.dtype == "uint8" else Dense(self.dtype)

    def batches(self, training: StudentTraining) -> int:
        return pruned(training.length, self.ratio)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-pruned``."""
    return [SoftPruned]
