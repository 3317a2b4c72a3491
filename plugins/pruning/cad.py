"""CAD-Prune: the spread of the true class's probability at the end (Hard Truths about Soft Labels, arXiv 2604.18811).

The paper trains its proxy for K epochs whose compute equals the student's, takes windows of J = K - W epochs that end
at each of the last W = 2 epochs, and keeps the highest of each class.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, RequestError, TraceTable, hookimpl
from rethinkdc.pruning import Observed, Span, Windowed, spread, windowed_mean


class CAD(Windowed):
    """Mean standard deviation of the true class's probability over the windows that end last."""

    name: ClassVar[str] = "cad"
    paper: ClassVar[str] = "arXiv 2604.18811"
    wants: ClassVar[PaperProxy | None] = PaperProxy("as many epochs as the student's compute pays for", "sgd", 10)

    window: int | None = Field(default=None, ge=2, description="J, epochs in a window; none = all but ``last``.")
    last: int = Field(default=2, ge=1, description="W, windows that are averaged: those that end last.")

    def window_of(self, span: Span) -> int:
        return self.window or max(2, span.length - self.last)

    def check(self, run: Observed, span: Span) -> None:
        super().check(run, span)
        windows = span.length - self.window_of(span) + 1
        if self.window is not None and windows < self.last:
            raise RequestError(
                f"{self.name}: {span.length} epochs hold {windows} windows of {self.window}, not last={self.last}."
            )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        window = self.window_of(span)
        first = max(span.first, span.last - window - self.last + 2)
        return windowed_mean(trace.column("train.p", first, span.last), window, spread)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``cad``."""
    return [CAD]
