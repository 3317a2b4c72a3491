"""LPLD: label pruning for large-scale distillation (Xiao and He, NeurIPS 2024, arXiv 2410.15919): its images.

Specified after the authors' code, he-y/soft-label-pruning at 63eee18; values from its recovery scripts. The pruned
labels are the labeler ``soft-pruned``. Left out are its defects (too many images where the batch does not divide ipc,
files overwritten). Its moving average of class statistics, which at one image of a class per batch forgets all but the
last ten, is ``average=moving``: unless told so, every image of a class counts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field

from rethinkdc.contracts import Budget, Method, hookimpl
from rethinkdc.distillation import (
    BATCHNORM,
    Batch,
    Inverting,
    Moments,
    MovingMoments,
    Preset,
    Roll,
    Synthesis,
    class_statistics,
)


class LPLD(Inverting):
    """SRe2L one class at a time, with the BatchNorm statistics of that class: images of a class differ more."""

    name: ClassVar[str] = "lpld"
    paper: ClassVar[str] = "arXiv 2410.15919"
    faults: ClassVar[Mapping[str, tuple[str, str]]] = {
        **Inverting.faults,
        "class statistics": ("forget all but the last ten batches with the class", "count every image of the class"),
    }

    statistics: Literal["views", "whole"] = Field(
        default="views",
        description="What statistics are taken of: crops and flips of the training images, as images are optimised, or "
        "whole images, as the teacher is tested.",
    )

    average: Literal["exact", "moving"] = Field(
        default="exact",
        description="Class statistics over all images, or the authors' moving average (momentum 0.1) over batches.",
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                "iterations": 4000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "batch": None,
                "crop": True,
                "flip": True,
                "roll": (0, 32),
            },
            "LPLD's recovery script for ImageNet-1K (a batch is a whole class)",
        ),
        "imagenet-21k": Preset(
            {
                "iterations": 2000,
                "lr": 0.05,
                "bn_weight": 0.25,
                "batch": None,
                "crop": True,
                "flip": True,
                "roll": (0, 32),
            },
            "LPLD's recovery script for ImageNet-21K (a batch is a whole class)",
        ),
        "tiny-imagenet": Preset(
            {
                "iterations": 4000,
                "lr": 0.1,
                "bn_weight": 0.05,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (-4, 4),
            },
            "LPLD's recovery script for Tiny ImageNet",
        ),
        "cifar100": Preset(
            {
                "iterations": 1000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "batch": None,
                "crop": False,
                "flip": False,
                "roll": (0, 4),
            },
            "untuned: SRe2L's recover_cifar.sh for CIFAR-100 (a batch is a whole class)",
        ),
    }

    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        copies = torch.arange(budget.ipc).split(size or budget.ipc)
        return [Batch(torch.full_like(part, label), part) for label in range(budget.classes) for part in copies]

    def class_moments(self, synthesis: Synthesis) -> Mapping[str, Moments]:
        ops = [op for op in self.ops(synthesis.values, synthesis.budget.size, 0) if not isinstance(op, Roll)]
        shown = ops if self.statistics == "views" else []
        statistics = class_statistics(
            synthesis.context,
            synthesis.teachers[0],
            synthesis.data,
            [BATCHNORM],
            shown,
            moments=MovingMoments if self.as_published or self.average == "moving" else Moments,
        )
        return statistics[BATCHNORM.name]


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``lpld``."""
    return [LPLD]
