"""DeepFool: rows near a decision boundary (Ducoffe and Precioso, 2018, arXiv 1802.09841, by arXiv 1511.04599).

The paper keeps the rows of the smallest perturbation (``direction=hard``). Any trained network serves as the proxy.
DeepCore looks at all classes, does not overshoot, and ranks by the square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Context, Images, Method, PaperProxy, hookimpl, joined
from rethinkdc.pruning import PooledScore, boundary_distances

_BATCH_NUMBERS = 1 << 22
"""Numbers of the inputs that are worked on at a time, at most 128 rows."""


class DeepFool(PooledScore):
    """Minus the norm of the smallest perturbation of the normalised image that changes the proxy's prediction."""

    name: ClassVar[str] = "deepfool"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 1802.09841"
    wants: ClassVar[PaperProxy | None] = PaperProxy("any network trained to its end", "sgd", 20)

    classes: int = Field(default=10, ge=2, description="Classes of the largest logits that are looked at.")
    iterations: int = Field(
        default=50, ge=1, description="Steps at most; a row that has not crossed by then is infinitely far."
    )
    overshoot: float = Field(default=0.02, gt=0, description="How much further a step goes to cross the boundary.")

    def of_rows(self, data: Images, rows: Tensor, context: Context) -> Tensor:  # noqa: ARG002
        proxy = context.proxy_network()

        def network(points: Tensor) -> Tensor:
            context.count_images(len(points))
            logits: Tensor = proxy.network(points)
            return logits

        def distances_of(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                inputs = proxy.inputs(rows[span.start : span.stop])
                away = boundary_distances(network, inputs, self.classes, self.iterations, self.overshoot)
                yield {"distance": away}

        batch = min(128, max(1, _BATCH_NUMBERS // proxy.inputs(rows[:1]).numel()))
        distances = joined(context.chunks(self.name, len(rows), batch, distances_of), "distance")
        context.note(deepfool_unfinished=int(torch.isinf(distances).sum()))
        return -distances


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``deepfool``."""
    return [DeepFool]
