"""Mean squared error of logits plus cross-entropy: the labels of G-VBSM (arXiv 2311.17950) and EDC (2404.13733)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.hookspecs import hookimpl
from rethinkdc.labelers import SoftLabeler, index_bytes, mix_op
from rethinkdc.labels import Ensemble, OnlineTargets, mse_gt
from rethinkdc.method import Method
from rethinkdc.types import Supervision, Track


class SoftMseGt(SoftLabeler):
    """The teachers' logits by mean squared error, and the view's own class by cross-entropy; asked while training.

    G-VBSM weights the cross-entropy by 0.1 on ImageNet-1K and Tiny-ImageNet, and by 0.15 on CIFAR; EDC by 0.025.
    """

    name: ClassVar[str] = "soft-mse-gt"
    paper: ClassVar[str] = "arXiv 2311.17950"
    track: ClassVar[Track] = "online"

    weight: float = Field(0.1, ge=0, description="Of the cross-entropy of the view's own class.")
    teacher_bn: Literal["running", "batch"] = Field(
        "running", description="Statistics of the teachers' BatchNorm: their own, or those of the batch that is asked."
    )

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        teachers = self.ensemble(context)
        if self.teacher_bn == "batch":
            teachers = Ensemble([teacher.with_batch_statistics() for teacher in teachers.teachers], self.averaging)
        objective = partial(_objective, weight=self.weight)
        return OnlineTargets(teachers, objective, mix_op(self.mix), label_bytes=index_bytes(compressed))


def _objective(logits: Tensor, soft: Tensor, hard: Tensor, *, weight: float) -> Tensor:
    return mse_gt(logits, soft, hard, weight)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-mse-gt``."""
    return [SoftMseGt]
