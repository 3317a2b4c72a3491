"""SSP: the distance to the nearest prototype (Sorscher et al., NeurIPS 2022, arXiv 2206.14486, self-supervised metric).

The paper clusters the features of a self-supervised network (SwAV, trained on ImageNet) into as many clusters as
ImageNet has classes, without labels, and takes the cosine distance to the nearest centre: far rows are hard. It keeps
the hard end where much data is left, the easy end where little is. Its code is not public; clusters and distances are
those of SemDeDup's, by some of its authors. Features here are those of the protocol's proxy, which was trained with
labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Context, Images, Method, PaperProxy, Score, hookimpl, joined
from rethinkdc.pruning import find_prototypes


class SSP(Score):
    """Cosine distance of a row's features to the nearest of k cluster centres, which know no labels."""

    name: ClassVar[str] = "ssp"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 2206.14486"
    wants: ClassVar[PaperProxy | None] = PaperProxy("a self-supervised network, trained to its end", "sgd", 20)

    clusters: int | None = Field(default=None, ge=1, description="k; none = as many as there are classes.")
    iterations: int = Field(default=100, ge=1, description="Of k-means, at most; it stops where it settles.")

    def score(self, data: Images, context: Context) -> Tensor:
        features = context.features()
        rows = torch.randperm(len(data), generator=context.generator("set", self.name))
        count = min(self.clusters or len(data.class_names), len(data))

        def found(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for _ in spans:
                kept = context.resumable("prototypes")
                yield {"cosines": find_prototypes(features, rows, count, self.iterations, kept).cosines}

        cosines = joined(context.chunks("prototypes", 1, 1, found, unit="clusterings"), "cosines")
        return torch.empty(len(data)).scatter_(0, rows, (1 - cosines).to(torch.float32))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``ssp``."""
    return [SSP]
