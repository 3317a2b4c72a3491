"""SemDeDup: rows that are least like one kept before them (Abbas et al., 2023, arXiv 2303.09540).

As in its authors' code directions of features are clustered, the rows of a cluster are sorted by their distance to its
centre (``keep=hard``: the farthest first), and each gets its largest cosine to a row before it. They drop the rows
above 1 - eps and tune eps until enough is left; here the rows of the smallest cosine are kept, which is the same at
the eps that fits. With ``balance=class`` each class has an eps of its own. Their 50,000 clusters are for 440 million
rows; features are those of CLIP, here of the protocol's proxy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl, joined
from rethinkdc.data import rows_by_class
from rethinkdc.pruning import Choice, Selector, ascending, find_prototypes, groups_of, nearest_before


class SemDeDup(Selector):
    """Rows that are least similar to any that their cluster keeps before them."""

    name: ClassVar[str] = "semdedup"
    paper: ClassVar[str] = "arXiv 2303.09540"

    clusters: int | None = Field(default=None, ge=1, description="k; none = as many as there are classes.")
    iterations: int = Field(default=100, ge=1, description="Of k-means, at most; it stops where it settles.")
    keep: Literal["hard", "easy", "random"] = Field(
        default="hard", description="Which of alike rows stays: the farthest from the centre, the nearest, or any."
    )

    def choice(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choice:
        groups = groups_of(data.targets, budget, balanced=self.balanced)
        cosines, picks = self._cosines(data, ranks, context), []
        for rows, count in groups:
            ranked = rows[torch.argsort(ranks[rows])]
            picks.append(ranked[ascending(cosines[ranked], 1.0)[:count]])
        kept = torch.cat(picks)
        # The eps of its authors that leaves no fewer rows.
        context.note(semdedup_eps=1 - float(cosines[kept].max()))
        return Choice(kept)

    def _cosines(self, data: Images, ranks: Tensor, context: Context) -> Tensor:
        """Of each row to the nearest that its cluster keeps before it: float64 [N]."""
        features, order = context.features(), torch.argsort(ranks)
        count = min(self.clusters or len(data.class_names), len(data))

        def clustered(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for _ in spans:
                found = find_prototypes(features, order, count, self.iterations, context.resumable("prototypes"))
                yield {"labels": found.labels, "cosines": found.cosines}

        chunks = context.chunks("prototypes", 1, 1, clustered, unit="clusterings")
        labels, central = joined(chunks, "labels"), joined(chunks, "cosines")
        clusters = rows_by_class(labels, count)

        def compared(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                places = clusters[span.start]
                if self.keep != "random":
                    places = places[ascending(central[places] if self.keep == "hard" else -central[places], 1.0)]
                yield {"rows": order[places], "cosines": nearest_before(features, order[places])}

        chunks = context.chunks(self.name, count, 1, compared, unit="clusters")
        cosines = torch.empty(len(data), dtype=torch.float64)
        cosines[joined(chunks, "rows")] = joined(chunks, "cosines")
        return cosines


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``semdedup``."""
    return [SemDeDup]
