"""Mean squared error of logits plus cross-entropy: the labels of G-VBSM (arXiv 2311.17950) and EDC (2404.13733)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import (
    CompressedSet,
    Context,
    Method,
    Preset,
    Protocol,
    Setting,
    Supervision,
    Track,
    hookimpl,
    resolve,
)
from rethinkdc.distillation import IMAGENET_TEACHERS, SMALL_TEACHERS
from rethinkdc.labels import BatchStatistics, OnlineTargets, index_bytes, mix_op, mse_gt


class SoftMseGt(BatchStatistics):
    """The teachers' logits by mean squared error, and the view's own class by cross-entropy; asked while training.

    The weights are G-VBSM's; EDC's are ``weight=0.025`` everywhere.
    """

    name: ClassVar[str] = "soft-mse-gt"
    paper: ClassVar[str] = "arXiv 2311.17950"
    revision: ClassVar[int] = 2
    track: ClassVar[Track] = "online"

    weight: float | None = Field(
        default=None, ge=0, description="Of the cross-entropy of the view's own class; none = G-VBSM's for the data."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset({"weight": 0.1}, "G-VBSM's train.sh for ImageNet-1K"),
        "tiny-imagenet": Preset({"weight": 0.1}, "G-VBSM's train.sh for Tiny ImageNet"),
        "cifar100": Preset({"weight": 0.15}, "G-VBSM's train.sh for CIFAR-100"),
        "cifar10": Preset({"weight": 0.15}, "G-VBSM's train.sh for CIFAR-10"),
    }

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:  # noqa: ARG002
        return resolve(self, self.presets, protocol.store.size, protocol.data.classes)

    def published(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        size, classes = protocol.store.size, protocol.data.classes
        told, source = super().published(protocol, ipc), "G-VBSM's generate_soft_label_with_db.py"
        theirs = IMAGENET_TEACHERS if (size, classes) == (224, 1000) else SMALL_TEACHERS
        averaging = "normed" if (size, classes) == (224, 1000) else "mean"
        return {**told, "teachers": Setting(theirs, source), "averaging": Setting(averaging, source)}

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        weight = self.settings(context.protocol, context.ipc)["weight"].value
        objective = partial(_objective, weight=weight)
        return OnlineTargets(self.ensemble(context), objective, mix_op(self.mix), label_bytes=index_bytes(compressed))


def _objective(logits: Tensor, soft: Tensor, hard: Tensor, *, weight: float) -> Tensor:
    return mse_gt(logits, soft, hard, weight)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the labeler ``soft-mse-gt``."""
    return [SoftMseGt]
