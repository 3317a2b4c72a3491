"""G-VBSM: generalized various backbone and statistical matching (Shao et al., CVPR 2024, arXiv 2311.17950).

Specified after the authors' code, shaoshitong/G_VBSM at 1ed80b0; values from its recover.sh files and their defaults.
Its labels are the labeler ``soft-mse-gt``. ``batch`` is what one process of its launch optimises: the launch's batch
over its GPUs, whose statistics are not gathered. Left out are its defects: moving averages begin with the first
statistics instead of 0 (``as_published=true`` begins with 0), and anew with each batch of images; draws are seeded, and
the turns of each batch begin with the first teacher. Real statistics are exact over the training set, where the code
averages those of its batches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import (
    IMAGENET_TEACHERS,
    SMALL_TEACHERS,
    Batch,
    PixelRange,
    Preset,
    Roll,
    StatisticalMatching,
    ViewOp,
    densification,
)

SMALL = {
    "iterations": 4000,
    "lr": 0.05,
    "weight": 0.01,
    "alpha": 0.8,
    "drop": 0.4,
    "patch": 4,
    "batch": 50,
    "crop": "padded",
    "min_area": 0.08,
    "statistics": "padded",
    "roll": (0, 32),
    "teachers": SMALL_TEACHERS,
}
"""Values for CIFAR-100 and Tiny ImageNet, launched on two GPUs."""


class GVBSM(StatisticalMatching):
    """Noise that several teachers in turn see real statistics in, of BatchNorm, convolutions and their patches."""

    name: ClassVar[str] = "gvbsm"
    paper: ClassVar[str] = "arXiv 2311.17950"
    revision: ClassVar[int] = 2
    jpeg: ClassVar[Collection[str]] = ("imagenet-1k",)

    roll: PixelRange | None = Field(
        default=None, description="Range of the circular shift of each step, in pixels; none = the paper's."
    )
    spread: float = Field(default=1.0, ge=0, description="Weight of the term that spreads the images of a class.")
    tau: float = Field(default=4.0, gt=0, description="Temperature of that term's smoothed spectrum.")

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                "iterations": 4000,
                "lr": 0.1,
                "weight": 0.01,
                "alpha": 0.4,
                "drop": 0.0,
                "patch": 16,
                "batch": 40,
                "crop": "resized",
                "min_area": 0.08,
                "statistics": "resized",
                "roll": (0, 32),
                "teachers": IMAGENET_TEACHERS,
            },
            "G-VBSM's recover.sh for ImageNet-1K (two GPUs)",
        ),
        "tiny-imagenet": Preset(SMALL, "G-VBSM's recover.sh for Tiny ImageNet (two GPUs)"),
        "cifar100": Preset(SMALL, "G-VBSM's recover.sh for CIFAR-100 (two GPUs)"),
        "cifar10": Preset({**SMALL, "batch": 100}, "G-VBSM's recover.sh for CIFAR-10 (one GPU)"),
    }

    def ops(self, values: Mapping[str, Any], size: int, iteration: int) -> list[ViewOp]:
        low, high = values["roll"]
        ops = super().ops(values, size, iteration)
        return [*ops, Roll(low=low, high=high)] if (low, high) != (0, 0) else ops

    def prior(self, batch: Batch) -> Callable[[Tensor], Tensor] | None:
        if not self.spread:
            return None
        # A batch holds as many images of each of its classes, one class after the other.
        classes = len(batch.labels.unique())
        return lambda views: self.spread * densification(views.unflatten(0, (classes, -1)), self.tau)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``gvbsm``."""
    return [GVBSM]
