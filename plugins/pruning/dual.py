"""DUAL: Difficulty and Uncertainty-Aware Lightweight score (Cho et al., ICML 2025, arXiv 2502.06905).

In each window of ten epochs the standard deviation of the true class's probability times one minus its mean, averaged
over the first 30 epochs of a run of 200 (60 on ImageNet). The paper keeps the highest; for high pruning rates it draws
by a Beta density instead (``dual-beta``). Its code multiplies each deviation by ten, which ranks alike.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Span, Windowed, spread_of_the_uncertain, windowed_mean


class DUAL(Windowed):
    """Uncertainty times difficulty of the true class's probability, over sliding windows of early epochs."""

    name: ClassVar[str] = "dual"
    paper: ClassVar[str] = "arXiv 2502.06905"
    longest: ClassVar[int | None] = 30
    wants: ClassVar[PaperProxy | None] = PaperProxy("the first 30 epochs of 200 on CIFAR, 60 on ImageNet", "sgd", 60)

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return windowed_mean(trace.column("train.p", *span), self.window_of(span), spread_of_the_uncertain)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``dual``."""
    return [DUAL]
