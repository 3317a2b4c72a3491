"""Combine: the rows of any selector, several whole images to a canvas (arXiv 2502.06434)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.combination import Combination
from rethinkdc.contracts import Method, OfKind, Reference, hookimpl


class Combine(Combination):
    """Tiles whole images of one class, chosen by any selector, into the cells of a canvas."""

    name: ClassVar[str] = "combine"

    select: Annotated[Reference, OfKind("compressor")] = Field(description="The selector whose rows are combined.")

    def selector(self) -> Reference:
        return self.select


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``combine``."""
    return [Combine]
