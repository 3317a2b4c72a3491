"""EL2N: the norm of the error vector (Paul et al., Deep Learning on a Data Diet, NeurIPS 2021, arXiv 2107.07075).

The paper scores an early snapshot (about epoch 10 to 20 of 200) of a long, undecayed schedule, averaged over ten runs.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Method, PaperProxy, TraceTable, hookimpl
from rethinkdc.pruning import Snapshot, Span


class EL2N(Snapshot):
    """Norm of the error vector |p - y| at an epoch of the proxy, or its mean over epochs."""

    name: ClassVar[str] = "el2n"
    paper: ClassVar[str] = "arXiv 2107.07075"
    wants: ClassVar[PaperProxy | None] = PaperProxy(
        "ResNet-18, SGD 0.1, batch 128, 200 epochs undecayed at first, read at epoch 10 to 20, ten runs", "sgd", 20
    )
    first_clean: ClassVar[bool] = True

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        return self.observed(trace, "error", span)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``el2n``."""
    return [EL2N]
