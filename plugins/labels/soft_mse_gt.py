"""Mean squared error of logits plus cross-entropy: the labels of G-VBSM (arXiv 2311.17950) and EDC (2404.13733)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import CompressedSet, Context, Method, Supervision, Track, hookimpl
from rethinkdc.labels import BatchStatistics, OnlineTargets, index_bytes, mix_op, mse_gt


class SoftMseGt(BatchStatistics):
    """The teachers' logits by mean squared error, and the view's own class by cross-entropy; asked while training.

    G-VBSM weights the cross-entropy by 0.1 on ImageNet-1K and Tiny-ImageNet, and by 0.15 on CIFAR; EDC by 0.025.
    """

    name: ClassVar[str] = "soft-mse-gt"
    paper: ClassVar[str] = "arXiv 2311.17950"
    track: ClassVar[Track] = "online"

    weight: float = Field(default=0.1, ge=0, description="Of the cross-entropy of the view's own class.")

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        objective = partial(_objective, weight=self.weight)
        return OnlineTargets(self.ensemble(context), objective, mix_op(self.mix), label_bytes=index_bytes(compressed))


def _objective(logits: Tensor, soft: Tensor, hard: Tensor, *, weight: float) -> Tensor:
    return mse_gt(logits, soft, hard, weight)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-mse-gt``."""
    return [SoftMseGt]
