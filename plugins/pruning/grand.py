"""GraNd of the last layer: the norm of the gradient of its weights and biases (Paul et al., NeurIPS 2021).

The gradient of the cross-entropy by the classifier is (p - y) times (1, h), so its norm is exactly
|p - y| sqrt(1 + |h|^2): no gradient is ever formed. The paper takes all parameters (``grand-full``), early in training
or at its start, averaged over ten runs. Clean images in evaluation mode by default, since batch statistics make the
gradients of a batch depend on each other.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Snapshot, Span


class GraNd(Snapshot):
    """Norm of the last layer's gradient at an epoch of the proxy, or its mean over epochs."""

    name: ClassVar[str] = "grand"
    paper: ClassVar[str] = "arXiv 2107.07075"
    wants: ClassVar[PaperProxy | None] = PaperProxy(
        "ResNet-18, SGD 0.1, batch 128, 200 epochs, read within the first 20 epochs, ten runs",
        "sgd",
        20,
    )
    first_clean: ClassVar[bool] = True

    observe: Literal["train", "clean"] = Field(
        default="clean", description="Clean images in evaluation mode, or augmented views in training mode."
    )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return self.observed(trace, "grad", span)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``grand``."""
    return [GraNd]
