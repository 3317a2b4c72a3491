"""Labels refined by the class, learned through their cosine with the student's logits (GIFT, arXiv 2405.14736)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import CompressedSet, Context, Method, Supervision, Track, hookimpl
from rethinkdc.labels import BatchStatistics, OnlineTargets, index_bytes, mix_op, refined_cosine


class Gift(BatchStatistics):
    """The teacher's logits at norm 1 plus a little of the smoothed class, by cosine; asked while training.

    No temperature is needed. The authors ask the teacher about every view too, and mix none (LINs-lab/GIFT).
    """

    name: ClassVar[str] = "gift"
    paper: ClassVar[str] = "arXiv 2405.14736"
    track: ClassVar[Track] = "online"

    weight: float = Field(default=0.1, ge=0, description="Of the smoothed class beside the teacher's answer.")
    smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the smoothed class that the other classes have together."
    )

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        objective = partial(_objective, weight=self.weight, smoothing=self.smoothing)
        return OnlineTargets(self.ensemble(context), objective, mix_op(self.mix), label_bytes=index_bytes(compressed))


def _objective(logits: Tensor, soft: Tensor, hard: Tensor, *, weight: float, smoothing: float) -> Tensor:
    return refined_cosine(logits, soft, hard, weight=weight, smoothing=smoothing)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``gift``."""
    return [Gift]
