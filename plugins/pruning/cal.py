"""CAL: rows that the network sees unlike their neighbours (Margatina et al., EMNLP 2021, arXiv 2109.03764).

The paper keeps the highest scores (``direction=hard``). Its neighbours are labelled rows; here, as in DeepCore, they
are the other rows of the class, in the features of the trained proxy. DeepCore takes both directions of the divergence
(``symmetric=true``), finds neighbours in features of a network pretrained on ImageNet, and keeps the *lowest* scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Context, Images, Method, PaperProxy, hookimpl, joined
from rethinkdc.data import rows_by_class
from rethinkdc.pruning import PooledScore, contrast, nearest_neighbours


class CAL(PooledScore):
    """Mean KL divergence between a row's prediction and those of its nearest neighbours in feature space."""

    name: ClassVar[str] = "cal"
    family: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "arXiv 2109.03764"
    wants: ClassVar[PaperProxy | None] = PaperProxy(
        "any network trained to its end; the paper fine-tunes anew in each round of labelling", "sgd", 20
    )

    k: int = Field(default=10, ge=1, description="Nearest neighbours; fewer in a class of fewer rows.")
    symmetric: bool = Field(
        default=False, description="Mean of both directions of the divergence; else that of the neighbour to the row."
    )

    def of_rows(self, data: Images, rows: Tensor, context: Context) -> Tensor:
        predictions = context.predictions()
        asked = torch.zeros(len(data), dtype=torch.bool)
        asked[rows] = True
        classes = [
            members for members in rows_by_class(data.targets, len(data.class_names)) if bool(asked[members].any())
        ]

        def contrasts_of(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                members = classes[span.start]
                queries = asked[members].nonzero().flatten()
                kept = context.resumable("neighbours")
                near = nearest_neighbours(predictions.features[members], self.k, queries, kept)
                logs = torch.log_softmax(predictions.logits[members].to(torch.float64), 1)
                said = contrast(logs, queries, near, symmetric=self.symmetric)
                yield {"rows": members[queries], "contrast": said}

        chunks = context.chunks(self.name, len(classes), 1, contrasts_of, unit="classes")
        contrasts = torch.empty(len(data), dtype=torch.float64)
        contrasts[joined(chunks, "rows")] = joined(chunks, "contrast")
        return contrasts[rows]


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``cal``."""
    return [CAL]
