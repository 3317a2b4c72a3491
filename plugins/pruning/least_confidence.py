"""Least confidence: uncertainty of the trained network (Coleman et al., ICLR 2020, arXiv 1906.11829).

The paper keeps the uncertain end of one evaluation pass at the end of the proxy's run, so clean images in evaluation
mode are the default.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Snapshot, Span, epoch_mean, largest_probability


class LeastConfidence(Snapshot):
    """One minus the largest probability (not logit): the uncertain rows are the highest."""

    name: ClassVar[str] = "least-confidence"
    paper: ClassVar[str] = "arXiv 1906.11829"
    wants: ClassVar[PaperProxy | None] = PaperProxy("a small network trained to its end, read after it", "sgd", 40)

    observe: Literal["train", "clean"] = Field(
        default="clean", description="Clean images in evaluation mode, or augmented views in training mode."
    )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        p, margin = (trace.column(f"{self.observe}.{column}", *span) for column in ("p", "margin"))
        return 1 - epoch_mean(largest_probability(p, margin))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``least-confidence``."""
    return [LeastConfidence]
