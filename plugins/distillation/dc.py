"""Gradient matching (Zhao et al., ICLR 2021, arXiv 2006.05929; VICO-UoE/DatasetCondensation at 53f63a6)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import GradientMatching


class DC(GradientMatching):
    """Moves noise until it gives a network, while that is trained on it, the gradients that real images give."""

    name: ClassVar[str] = "dc"
    paper: ClassVar[str] = "arXiv 2006.05929"

    init: Literal["real", "noise"] = Field(default="noise", description="What the images begin as.")


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dc``."""
    return [DC]
