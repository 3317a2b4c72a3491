"""Moderate coreset: rows at a median distance from the median of their class (Xia et al., ICLR 2023).

The paper reads clean features of a fully trained ResNet-50 (200 epochs on CIFAR-100, 90 on Tiny-ImageNet) and ranks the
rows of all classes together; ``balance=none`` does so.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, by_rank, median_distances, middle


class Moderate(Selector):
    """Rows whose distance to the median feature of their class is of a middle rank."""

    name: ClassVar[str] = "moderate"
    paper: ClassVar[str] = "openreview 7D5EECbOaf9"

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        distances = median_distances(context.features(), data.targets)
        return by_rank(ranks, lambda rows, count: Choice(middle(distances[rows], count)))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``moderate``."""
    return [Moderate]
