"""Forgetting events (Toneva et al., ICLR 2019, arXiv 1812.05159): learned at one visit, wrong at the next.

The paper counts over one full run of 200 epochs on CIFAR. Rows that were never learned are infinitely often forgotten
there, and in its authors' code as often as there are epochs, which ranks alike. In the code of CCS, D2 and DUAL, and in
DeepCore, they count 0 and so as the easiest: ``never_learned=zero``.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Dynamics, Span, forgetting_events


class Forgetting(Dynamics):
    """How often a training row was forgotten: right at one visit and wrong at the next."""

    name: ClassVar[str] = "forgetting"
    paper: ClassVar[str] = "arXiv 1812.05159"
    wants: ClassVar[PaperProxy | None] = PaperProxy("one full run: 200 epochs on CIFAR, 60 on ImageNet", "sgd", 60)
    revision: ClassVar[int] = 2

    never_learned: Literal["T", "inf", "zero"] = Field(
        default="T", description="Count of rows that were never right: the epochs, infinite, or 0 as in CCS and D2."
    )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        never = {"T": float(span.length), "inf": float("inf"), "zero": 0.0}[self.never_learned]
        return forgetting_events(trace.column("train.correct", *span), never)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``forgetting``."""
    return [Forgetting]
