"""PCA: Prune, Combine, Augment (arXiv 2502.06434): easy whole images, tiled, views inside one cell, hard labels.

The paper's code for it is not released; what it leaves open is a parameter here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Compressor
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method, OfKind, Reference
from rethinkdc.selection.grid import cells_of, combine_rows
from rethinkdc.types import Budget, Direction, Fit, Images, Interpolation, ViewRule


class PCA(Compressor):
    """Prune to the easiest images, combine them whole into canvases, augment inside one cell."""

    name: ClassVar[str] = "pca"
    family: ClassVar[str] = "combination"
    paper: ClassVar[str] = "arXiv 2502.06434"

    score: Annotated[Reference, OfKind("score")] = Field(
        default=Reference.model_validate("el2n"), description="The pruning score; random separates Prune from the rest."
    )
    direction: Direction = Field(default="easy", description="Which end of the score to keep.")
    grid: int = Field(default=2, ge=1, le=16, description="Cells per side of a canvas.")
    fit: Fit = Field(default="squash", description="How a whole image fills a cell: squash, or centre crop.")
    interpolation: Interpolation = Field(default="bilinear", description="Antialiased filter of the resize.")
    constrained: bool = Field(default=True, description="Views lie inside one cell; false: anywhere on the canvas.")
    choice: Literal["uniform", "cycle"] = Field(default="uniform", description="How a view chooses its cell.")
    scale: tuple[float, float] | None = Field(
        default=None, description="Area range of the random crop inside a cell; none = the protocol's."
    )

    def rows_per_canvas(self) -> int:
        return self.grid**2

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        cells = self.grid**2
        pruning = Reference(name="select", values={"score": self.score, "direction": self.direction})
        pruned = context.compress(pruning, data, budget.model_copy(update={"ipc": budget.ipc * cells}))
        rule = ViewRule(scope="cell" if self.constrained else "canvas", choice=self.choice, scale=self.scale)
        return combine_rows(
            data,
            cells_of(pruned.sources[:, 0], pruned.targets, budget, cells),
            budget,
            context,
            grid=self.grid,
            fit=self.fit,
            interpolation=self.interpolation,
            rule=rule,
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``pca``."""
    return [PCA]
