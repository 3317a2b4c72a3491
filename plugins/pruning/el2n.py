"""EL2N: the norm of the error vector (Paul et al., Deep Learning on a Data Diet, NeurIPS 2021, arXiv 2107.07075).

The paper scores an early snapshot (about epoch 10 to 20 of 200) of a long, undecayed schedule, averaged over ten runs.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.context import Context
from rethinkdc.contracts import Score
from rethinkdc.errors import RequestError
from rethinkdc.hookspecs import hookimpl
from rethinkdc.method import Method
from rethinkdc.proxy import epoch_range
from rethinkdc.types import Images

Epoch = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)]


class EL2N(Score):
    """Norm of the error vector |p - y| at an epoch of the proxy, or its mean over epochs."""

    name: ClassVar[str] = "el2n"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 2107.07075"
    needs: ClassVar[Literal["trace", "features", "model", "none"]] = "trace"

    epochs: Epoch | tuple[Epoch, Epoch] | None = Field(
        default=None,
        description="Snapshot epoch, or [first,last] to average over; 1-based or fractions; none = the protocol's.",
    )
    observe: Literal["train", "clean"] = Field(
        default="train", description="Augmented views in training mode, or clean images in evaluation mode."
    )
    repeats: int = Field(default=1, ge=1, le=100, description="Independent proxy runs to average over (the paper: 10).")

    def score(self, data: Images, context: Context) -> Tensor:  # noqa: ARG002 - the trace holds the data's rows
        chosen = self.epochs if self.epochs is not None else self._default(context)
        first, last = epoch_range(chosen, context.proxy_epochs, self.name)
        unseen = set(range(first, last + 1)) - set(context.clean_epochs)
        if self.observe == "clean" and unseen:
            raise RequestError(
                f"{self.name}: clean images were not observed after epoch {min(unseen)}; the protocol lists the epochs "
                f"{', '.join(map(str, context.clean_epochs))}."
            )
        column = f"{self.observe}.error"
        runs = [error_norm(context.trace(repeat).column(column, first, last)) for repeat in range(self.repeats)]
        return torch.stack(runs).mean(0)

    def _default(self, context: Context) -> Epoch | tuple[Epoch, Epoch]:
        if self.observe == "clean":
            if not context.clean_epochs:
                raise RequestError("el2n: the protocol's proxy observes no clean images; use observe=train.")
            return context.clean_epochs[0]
        epochs: Epoch | tuple[Epoch, Epoch] = context.protocol.proxy.scores.get("el2n", {}).get("epochs", 1.0)
        return epochs


def error_norm(errors: Tensor) -> Tensor:
    """Mean over epochs of |p - y| (arXiv 2107.07075, definition 2.3): float32 [T, N] -> float32 [N].

    Epoch by epoch, so that a memory-mapped trace is never copied whole.
    """
    total = torch.zeros(errors.shape[1], dtype=torch.float64)
    for epoch in errors:
        total += epoch
    return (total / len(errors)).to(torch.float32)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``el2n``."""
    return [EL2N]
