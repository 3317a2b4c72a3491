"""Dyn-Unc: dynamic uncertainty (He et al., CVPR 2024 workshops, arXiv 2306.05175).

The standard deviation of the true class's probability in sliding windows of ten epochs, over a whole run (200 epochs on
CIFAR). The paper keeps the highest. Its code multiplies by ten, leaves out the last window and takes p = 0 for a missed
visit; here every window counts, and no visit is missed.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Span, Windowed, spread, windowed_mean


class DynUnc(Windowed):
    """Mean standard deviation of the true class's probability over sliding windows of epochs."""

    name: ClassVar[str] = "dyn-unc"
    paper: ClassVar[str] = "arXiv 2306.05175"
    wants: ClassVar[PaperProxy | None] = PaperProxy("one full run: 200 epochs on CIFAR", "sgd", 200)

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return windowed_mean(trace.column("train.p", *span), self.window_of(span), spread)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``dyn-unc``."""
    return [DynUnc]
