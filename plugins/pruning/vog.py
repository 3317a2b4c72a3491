"""VoG: the variance of an image's gradient during training (Agarwal et al., CVPR 2022, arXiv 2008.11600).

The gradient of the true class's logit by the pixels, meaned over channels, is taken at some epochs; its standard
deviation over them, meaned over the pixels, is the score, less the mean of its class and in its standard deviations.
High is hard. The authors' demonstration on ImageNet takes three snapshots late in training, one epoch apart: here the
last three epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Context, Images, Method, PaperProxy, RequestError, hookimpl, joined
from rethinkdc.pruning import Epoch, PooledScore, as_epoch, input_gradient, snapshots, standardised, variation

_BATCH = 64


class VoG(PooledScore):
    """How much the gradient of the true class's logit by the pixels varies over epochs of the proxy's recipe."""

    name: ClassVar[str] = "vog"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 2008.11600"
    wants: ClassVar[PaperProxy | None] = PaperProxy("one full run, read late (or early) in it", "sgd", 25)

    epochs: Annotated[tuple[Epoch, ...], Field(min_length=2)] | None = Field(
        default=None, description="Epochs after which gradients are taken, 1-based or fractions; none = the last three."
    )
    by_class: bool = Field(default=True, description="Standard scores within each class; else as they are.")

    def of_rows(self, data: Images, rows: Tensor, context: Context) -> Tensor:
        epochs = self._epochs(context.proxy_epochs)
        proxies = snapshots(context, self.name, epochs)

        def varied(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                part = rows[span.start : span.stop]
                inputs, targets = proxies[0].inputs(part), data.targets[part].to(context.device)
                context.count_images(len(part) * len(proxies))
                gradients = (input_gradient(proxy.network, inputs, targets).cpu() for proxy in proxies)
                yield {"variation": variation(gradients)}

        found = joined(context.chunks(self.name, len(rows), _BATCH, varied), "variation")
        context.note(vog_epochs=epochs)
        return standardised(found, data.targets[rows]) if self.by_class else found

    def _epochs(self, length: int) -> list[int]:
        chosen = self.epochs if self.epochs is not None else tuple(range(max(1, length - 2), length + 1))
        epochs = sorted({as_epoch(epoch, length) for epoch in chosen})
        if len(epochs) < 2 or epochs[-1] > length:
            raise RequestError(
                f"vog: epochs={list(chosen)} of a proxy of {length} epochs are {epochs}; two or more are asked for, in "
                f"1..{length}, or fractions such as 0.5."
            )
        return epochs


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``vog``."""
    return [VoG]
