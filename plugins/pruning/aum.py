"""AUM: the area under the margin (Pleiss et al., NeurIPS 2020, arXiv 2001.10528); low means hard or mislabelled.

The paper means the margin of the logits over a whole run of 200 epochs; Zheng et al. (CCS, arXiv 2210.15809) sum the
margin of the probabilities, 200 epochs on CIFAR and 60 on ImageNet with ResNet-34. A mean ranks as a sum does.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Dynamics, Span, epoch_mean


class AUM(Dynamics):
    """Mean margin of the true class over the others, negated: the hardest rows, often mislabelled, are the highest."""

    name: ClassVar[str] = "aum"
    paper: ClassVar[str] = "arXiv 2001.10528"
    wants: ClassVar[PaperProxy | None] = PaperProxy("one full run: 200 epochs on CIFAR, 60 on ImageNet", "sgd", 60)

    space: Literal["logit", "prob"] = Field(
        default="logit", description="Margin of the logits, as in the paper, or of the probabilities, as in CCS."
    )

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return -epoch_mean(trace.column("train.logit_margin" if self.space == "logit" else "train.margin", *span))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``aum``."""
    return [AUM]
