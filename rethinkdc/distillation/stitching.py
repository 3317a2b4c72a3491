"""What compressors that stitch crops of real images have in common (RDED, arXiv 2312.03526)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.compressed.budget import largest_size
from rethinkdc.contracts.kinds import Compressor, Setting
from rethinkdc.distillation.crops import best_crops, crop_canvases, rank_strided, score_candidates
from rethinkdc.errors import UnsupportedError
from rethinkdc.method import OfKind
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images
from rethinkdc.views import RandomResizedCrop

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context

LARGE = 128
"""Side in pixels from which on the paper's authors stitch four crops to a canvas."""


class Stitching(Compressor):
    """Base of compressors that stitch the crops with the lowest losses; a subclass says which images are looked at."""

    family: ClassVar[str] = "distillation"

    factor: int | None = Field(
        default=None, ge=1, le=16, description="Cells per side of a canvas; none = 2 from 128 px on, else 1."
    )
    crops: int = Field(default=5, ge=1, description="m, candidate crops of each image; the best one may be kept.")
    pool: int = Field(default=300, ge=1, description="Images of each class that are looked at, or all where fewer.")
    scale: tuple[float, float] = Field(default=(0.08, 1.0), description="Range of a crop's share of its image's area.")
    teacher: Annotated[Reference | None, OfKind("teacher")] = Field(
        default=None, description="Network that scores the crops; none = the protocol's."
    )

    @model_validator(mode="after")
    def _scale_is_a_crops(self) -> Stitching:
        low, high = self.scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"scale must be (smallest, largest) with 0 < smallest <= largest <= 1; found {self.scale}")
        return self

    def rows_per_canvas(self) -> int:
        """Where ``factor`` is open the least that it can mean; :meth:`compress` checks the rest."""
        return (self.factor or 1) ** 2

    def cells_per_side(self, size: int) -> int:
        return self.factor or _usual_factor(size)

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = super().settings(protocol, ipc)
        if self.factor is None:
            size = protocol.store.size
            settings["factor"] = Setting(_usual_factor(size), f"arXiv 2312.03526 for canvases of {size} px")
        return settings

    def pools(self, data: Images, budget: Budget, context: Context) -> Sequence[Tensor]:
        """The rows of each class that are looked at: int64 each, at most ``pool``; of equal losses the first wins."""
        raise NotImplementedError

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        factor = self.cells_per_side(budget.size)
        context.note(**{f"{self.name}_factor": factor})
        self._check(data.targets.bincount(minlength=budget.classes).tolist(), data, budget, factor)
        pools = self.pools(data, budget, context)
        # A score may leave rows out.
        self._check([len(rows) for rows in pools], data, budget, factor)
        teacher: Teacher = context.teacher(self.teacher)
        cells = grid_boxes(budget.size, factor)

        def make(index: int) -> dict[str, Tensor]:
            sources, boxes = self._chosen(data, pools[index], index, teacher, budget.ipc, factor, context)
            return {
                # Kept as NHWC: channels-last memory survives the memory map.
                "canvases": crop_canvases(data, sources, boxes, cells, budget.size).permute(0, 2, 3, 1),
                "targets": data.targets[sources[:, 0]],
                "sources": sources,
                "source_boxes": boxes,
            }

        kept = context.parts(budget.classes, make)
        parts = [{**part, "canvases": part["canvases"].permute(0, 3, 1, 2)} for part in kept]
        return CompressedSet.of_canvases(parts, data.class_names, cell_boxes=cells)

    def _chosen(
        self, data: Images, rows: Tensor, label: int, teacher: Teacher, ipc: int, factor: int, context: Context
    ) -> tuple[Tensor, Tensor]:
        """The crops of one class: rows int64 [ipc, cells] and boxes int32 [ipc, cells, 4] in source pixels.

        Crops are scored at the size that they have beside the others: the teacher's size over the factor, which in the
        paper, where the teacher sees whole canvases, is that of a cell.
        """
        candidates = score_candidates(
            data,
            rows,
            label,
            teacher,
            side=max(1, teacher.size // factor),
            count=self.crops,
            crop=RandomResizedCrop(scale=self.scale, ratio=(1.0, 1.0)),
            # The same crops of an image for every method that stitches: only what is kept differs.
            seed=context.seeds.of("set", "crops"),
            workers=context.workers,
            precision=context.protocol.precision,
            passing=context.chunks,
        )
        images, crops = best_crops(candidates.losses, ipc * factor**2)
        order = rank_strided(ipc, factor**2)
        return rows[images][order], candidates.boxes[images, crops][order]

    def _check(self, available: Sequence[int], data: Images, budget: Budget, factor: int) -> None:
        """Checks that each class can fill its canvases, with one crop of an image.

        Raises:
            UnsupportedError: names what is needed, and the pool or the class that is too small.
        """
        needed = budget.ipc * factor**2
        asked = f"{self.name} at ipc {budget.ipc} with factor {factor} needs {needed:,} images of every class"
        if self.pool < needed:
            # The authors' code fails while it stitches, or leaves cells empty.
            raise UnsupportedError(f"{asked}, one crop of each; pool={self.pool} looks at fewer. Set pool={needed}.")
        smallest = min(range(budget.classes), key=lambda index: available[index])
        if available[smallest] < needed:
            raise UnsupportedError(
                f"{asked}, one crop of each; class {data.class_names[smallest]!r} has {available[smallest]:,}. "
                f"{largest_size(available[smallest], factor**2)}"
            )


def _usual_factor(size: int) -> int:
    """Cells per side of a canvas of ``size`` px, as the authors have it."""
    return 2 if size >= LARGE else 1
