"""Combine: the rows of any selector, several whole images to a canvas (arXiv 2502.06434)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.contracts import Compressor
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method, OfKind, Reference
from rethinkdc.selection.grid import cells_of, combine_rows
from rethinkdc.types import Budget, Fit, Images, Interpolation, ViewRule


class Combine(Compressor):
    """Tiles whole images of one class, chosen by any selector, into the cells of a canvas."""

    name: ClassVar[str] = "combine"
    family: ClassVar[str] = "combination"
    paper: ClassVar[str] = "arXiv 2502.06434"

    select: Annotated[Reference, OfKind("compressor")] = Field(description="The selector whose rows are combined.")
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
        chosen = context.compress(self.select, data, budget.model_copy(update={"ipc": budget.ipc * cells}))
        rule = ViewRule(scope="cell" if self.constrained else "canvas", choice=self.choice, scale=self.scale)
        return combine_rows(
            data,
            cells_of(chosen.sources[:, 0], chosen.targets, budget, cells),
            budget,
            context,
            grid=self.grid,
            fit=self.fit,
            interpolation=self.interpolation,
            rule=rule,
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``combine``."""
    return [Combine]
