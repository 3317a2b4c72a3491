"""RDED: realistic, diverse, efficient distillation without optimisation (Sun et al., CVPR 2024, arXiv 2312.03526).

Specified after the authors' code, LINs-lab/RDED at 3f6453d, with its defects left out: draws are seeded, a pool that is
too small is refused, and pixels are rounded, not truncated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.data import rows_by_class
from rethinkdc.distillation import Stitching
from rethinkdc.pruning import random_ranks


class RDED(Stitching):
    """Stitches the random crops that a teacher finds easiest, one of each image, from a random pool."""

    name: ClassVar[str] = "rded"
    paper: ClassVar[str] = "arXiv 2312.03526"

    def pools(self, data: Images, budget: Budget, context: Context) -> Sequence[Tensor]:
        order = random_ranks(len(data), context.generator("set", "pool"))
        return [rows[: self.pool] for rows in rows_by_class(data.targets, budget.classes, order)]


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``rded``."""
    return [RDED]
