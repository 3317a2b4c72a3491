"""Gradient matching under Siamese augmentation (Zhao & Bilen, ICML 2021, arXiv 2102.08259)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import STRATEGIES, DifferentiableOp, Dsa, GradientMatching, Strategy


class DSA(GradientMatching):
    """Matches gradients as ``dc`` does, of real and synthetic images that are augmented alike."""

    name: ClassVar[str] = "dsa"
    paper: ClassVar[str] = "arXiv 2102.08259"

    init: Literal["real", "noise"] = Field(default="real", description="What the images begin as.")
    strategies: tuple[Strategy, ...] = Field(
        default=STRATEGIES, min_length=1, description="Augmentations, one of which is drawn for each step of a class."
    )

    def ops(self) -> list[DifferentiableOp]:
        return [Dsa(strategies=self.strategies)]


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dsa``."""
    return [DSA]
