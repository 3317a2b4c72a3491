"""K-means: the medoids of clusters of features (Lloyd, IEEE Transactions on Information Theory 28(2), 1982).

The first centres are those of k-means++ (Arthur and Vassilvitskii, SODA 2007). Features are of any fully trained
network; the protocol's proxy gives them.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, by_rank, k_means_medoids


class KMeans(Selector):
    """The row nearest to the centre of each of k clusters of the features."""

    name: ClassVar[str] = "k-means"
    paper: ClassVar[str] = "doi 10.1109/TIT.1982.1056489"

    iterations: int = Field(default=300, ge=1, description="Of Lloyd's algorithm, at most; it stops where it settles.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        features = context.features()
        seed = int(torch.randint(2**31, (), generator=context.generator("set", self.name, "centres")))
        return by_rank(
            ranks,
            lambda rows, count: Choice(k_means_medoids(features[rows], count, seed, self.iterations)),
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``k-means``."""
    return [KMeans]
