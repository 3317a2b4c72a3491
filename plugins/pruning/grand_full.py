"""GraNd over all parameters (Paul et al., Deep Learning on a Data Diet, NeurIPS 2021, arXiv 2107.07075).

The paper averages ten or more networks at their start or after a few of 200 epochs; here the one trained proxy is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Context, Images, Method, PaperProxy, hookimpl, joined
from rethinkdc.pruning import PooledScore, gradient_norms

_BATCH = 64


class GraNdFull(PooledScore):
    """Norm of a row's gradient of the loss over all parameters of the trained proxy."""

    name: ClassVar[str] = "grand-full"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 2107.07075"
    wants: ClassVar[PaperProxy | None] = PaperProxy(
        "ResNet-18, SGD 0.1, batch 128, 200 epochs, read within the first 20 epochs, ten runs", "sgd", 20
    )

    def of_rows(self, data: Images, rows: Tensor, context: Context) -> Tensor:
        proxy = context.proxy_network()

        def norms_of(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                part = rows[span.start : span.stop]
                context.count_images(len(part))
                targets = data.targets[part].to(context.device)
                yield {"norm": gradient_norms(proxy.network, proxy.inputs(part), targets)}

        return joined(context.chunks(self.name, len(rows), _BATCH, norms_of), "norm")


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``grand-full``."""
    return [GraNdFull]
