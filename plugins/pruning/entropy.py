"""Entropy: uncertainty of the trained network (Coleman et al., Selection via Proxy, ICLR 2020, arXiv 1906.11829).

The paper keeps the uncertain end of one evaluation pass at the end of the proxy's run, so clean images in evaluation
mode are the default.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Snapshot, Span


class Entropy(Snapshot):
    """Entropy of the predicted probabilities, in nats: the uncertain rows are the highest."""

    name: ClassVar[str] = "entropy"
    paper: ClassVar[str] = "arXiv 1906.11829"
    wants: ClassVar[PaperProxy | None] = PaperProxy("a small network trained to its end, read after it", "sgd", 40)

    observe: Literal["train", "clean"] = Field(
        default="clean", description="Clean images in evaluation mode, or augmented views in training mode."
    )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return self.observed(trace, "entropy", span)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``entropy``."""
    return [Entropy]
