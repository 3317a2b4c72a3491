"""The images of ``random`` with their pixels shuffled: colours without shapes."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.combination import permute_patches, store_rows
from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    Images,
    Method,
    UnsupportedError,
    generator,
    hookimpl,
)
from rethinkdc.pruning import baseline_rows


class Shuffled(Compressor):
    """The rows of random, the pixels of each in a random order: accuracy is what colours and labels tell.

    Every canvas keeps its histogram to the pixel. What a student reaches beyond ``noise`` under the same labels comes
    from colours, what ``random`` reaches beyond this from structure.
    """

    name: ClassVar[str] = "shuffled"
    family: ClassVar[str] = "controls"

    patches: int | None = Field(
        default=None, ge=2, description="Patches per side that change places whole; none = single pixels."
    )

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        grid = self.patches or budget.size
        if budget.size % grid:
            raise UnsupportedError(
                f"{self.name}: {grid} patches per side do not divide canvases of {budget.size} px. "
                "Choose patches that do, or leave it out to shuffle single pixels."
            )
        rows = baseline_rows(data.targets, budget, context.seeds)

        def change(pixels: Tensor, shown: Tensor) -> Tensor:
            seeds = [context.seeds.of("set", "shuffled", row) for row in shown.tolist()]
            orders = torch.stack([torch.randperm(grid**2, generator=generator(seed)) for seed in seeds])
            return permute_patches(pixels, orders, grid)

        return store_rows(data, rows, data.targets[rows], budget, context, change)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``shuffled``."""
    return [Shuffled]
