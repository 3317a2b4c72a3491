"""TDDS: Temporal Dual-Depth Scoring (Zhang et al., CVPR 2024, arXiv 2311.13613).

The change of the prediction from epoch to epoch, its unevenness in a sliding window, and an exponential mean that lets
late windows weigh most. The paper keeps the highest of one run at batch 100, rate 0.1, 200 epochs, and tunes the
epochs T and the window J to the pruning rate: (90, 10), (70, 10), (60, 20), (20, 10), (10, 5) on CIFAR; here 30 and
10. It also weighs the loss by the score, which is training, not selection, and is left out.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, RequestError, TraceTable, hookimpl
from rethinkdc.pruning import Observed, Span, Windowed, weighted_changes


class TDDS(Windowed):
    """How unevenly the prediction changes from epoch to epoch, recent windows weighing most."""

    name: ClassVar[str] = "tdds"
    paper: ClassVar[str] = "arXiv 2311.13613"
    longest: ClassVar[int | None] = 30
    wants: ClassVar[PaperProxy | None] = PaperProxy("SGD 0.1, batch 100, a schedule of 200 epochs", "sgd", 90)

    decay: float = Field(default=0.9, gt=0, le=1, description="Weight of the last window; the one before has 1 - it.")

    def window_of(self, span: Span) -> int:
        # Two changes are the least that can differ.
        return min(span.length, max(3, super().window_of(span)))

    def check(self, run: Observed, span: Span) -> None:
        super().check(run, span)
        if span.length < 3:
            raise RequestError(
                f"{self.name}: {span.length} epochs ({span.first}..{span.last}) have fewer than two changes between "
                "them; choose at least 3."
            )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return weighted_changes(trace.column("train.change", *span), self.window_of(span), self.decay)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``tdds``."""
    return [TDDS]
