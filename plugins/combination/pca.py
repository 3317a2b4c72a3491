"""PCA: Prune, Combine, Augment (arXiv 2502.06434): easy whole images, tiled, views inside one cell, hard labels.

The paper's code for it is not released; what it leaves open is a parameter.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.combination import Combination
from rethinkdc.contracts import Direction, Method, OfKind, Reference, hookimpl


class PCA(Combination):
    """Prune to the easiest images, combine them whole into canvases, augment inside one cell."""

    name: ClassVar[str] = "pca"

    score: Annotated[Reference, OfKind("score")] = Field(
        default=Reference.model_validate("el2n"), description="The pruning score; random separates Prune from the rest."
    )
    direction: Direction = Field(default="easy", description="Which end of the score to keep.")

    def selector(self) -> Reference:
        return Reference(name="select", values={"score": self.score, "direction": self.direction})


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``pca``."""
    return [PCA]
