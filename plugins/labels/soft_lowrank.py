"""Stored labels as indices into codebooks, with the codebooks and the decoder among their bytes.

After the vector-quantised soft labels of arXiv 2603.03808, of which the abstract and summaries were at hand and no
code: their encoder and decoder are networks, these are linear, and the numbers of directions, codebooks and codes are
ours.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import Context, Method, hookimpl
from rethinkdc.labels import Learner, LowRankLearner, StoredLabeler


class SoftLowRank(StoredLabeler):
    """The logits of every view as one index into each of ``books`` codebooks, in their ``rank`` largest directions.

    Directions and codebooks are learned from the logits of some of the views, by principal components and k-means. A
    view takes a byte for each codebook of at most 256 codes, two bytes where there are more.
    """

    name: ClassVar[str] = "soft-lowrank"
    paper: ClassVar[str] = "arXiv 2603.03808"

    rank: int = Field(default=32, ge=1, description="Directions kept; at most one less than there are classes.")
    books: int = Field(default=4, ge=1, le=64, description="Codebooks, each of what those before it left over.")
    codes: int = Field(default=256, ge=2, le=1 << 15, description="Vectors of a codebook.")
    views: int = Field(default=1 << 14, ge=1, description="Views to learn from, about; all where there are fewer.")

    def coding(self, classes: int, context: Context) -> Learner:
        seed = context.seeds.of("labels", "codes")
        return LowRankLearner(min(self.rank, classes - 1), self.books, self.codes, seed, self.views)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-lowrank``."""
    return [SoftLowRank]
