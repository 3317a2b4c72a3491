"""What compressors that tile whole training images have in common (arXiv 2502.06434, "Combine" and "Augment")."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from rethinkdc.combination.grid import canvas_weights, cells_of, combine_rows
from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import UnsupportedError
from rethinkdc.reference import Reference
from rethinkdc.types import Areas, Budget, Fit, Images, Interpolation, ViewRule

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context


class Combination(Compressor):
    """Base of compressors that combine a selector's rows; a subclass says which selector."""

    family: ClassVar[str] = "combination"
    paper: ClassVar[str] = "arXiv 2502.06434"

    grid: int = Field(default=2, ge=1, le=16, description="Cells per side of a canvas.")
    fit: Fit = Field(default="squash", description="How a whole image fills a cell: squash, or centre crop.")
    interpolation: Interpolation = Field(default="bilinear", description="Antialiased filter of the resize.")
    constrained: bool = Field(default=True, description="Views lie inside one cell; false: anywhere on the canvas.")
    choice: Literal["uniform", "cycle"] = Field(default="uniform", description="How a view chooses its cell.")
    whole: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Share of views that show the whole canvas in place of one cell."
    )
    scale: Areas | None = Field(
        default=None, description="Area range of the random crop inside a cell; none = the protocol's."
    )

    def selector(self) -> Reference:
        """The compressor whose rows are combined."""
        raise NotImplementedError

    @property
    def seen_in_cells(self) -> bool:
        return self.constrained and self.grid > 1

    def rows_per_canvas(self) -> int:
        return self.grid**2

    def cells_per_side(self, size: int) -> int:  # noqa: ARG002 - the same for every size
        return self.grid

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        cells = self.rows_per_canvas()
        selector = context.method(Compressor, self.selector())
        if selector.rows_per_canvas() != 1 or not selector.balanced:
            raise UnsupportedError(
                f"{self.name} combines single rows, the same number of each class; {selector.name} does not give that. "
                "Use a selector such as random or el2n:direction=easy."
            )
        chosen = context.compress(self.selector(), data, budget.model_copy(update={"ipc": budget.ipc * cells}))
        if chosen.rows is None:
            raise UnsupportedError(f"{self.name} combines training rows; {selector.name} gives images of its own.")
        sources = cells_of(chosen.sources[:, 0], chosen.targets, budget, cells)
        rule = ViewRule(
            scope="cell" if self.constrained else "canvas",
            choice=self.choice,
            scale=self.scale,
            whole=self.whole if self.constrained else 0.0,
        )
        return combine_rows(
            data,
            sources,
            budget,
            context,
            grid=self.grid,
            fit=self.fit,
            interpolation=self.interpolation,
            rule=rule,
            weights=None if chosen.weights is None else canvas_weights(sources, chosen.rows, chosen.weights),
        )
