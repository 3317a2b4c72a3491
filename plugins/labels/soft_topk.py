"""Stored labels of which only the largest probabilities are kept (FKD's marginal smoothing, arXiv 2112.01528)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import Context, Method, hookimpl
from rethinkdc.labels import Coding, StoredLabeler, TopK


class SoftTopK(StoredLabeler):
    """The ``k`` largest probabilities of every view, stored; what is left is spread evenly over the other classes."""

    name: ClassVar[str] = "soft-topk"
    paper: ClassVar[str] = "arXiv 2112.01528"

    k: int = Field(
        default=5, ge=1, description="Probabilities kept of each view; at most one less than there are classes."
    )

    def coding(self, classes: int, context: Context) -> Coding:
        return TopK(self.k, self.softness(context).temperature, classes)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-topk``."""
    return [SoftTopK]
