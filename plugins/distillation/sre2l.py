"""SRe2L: squeeze, recover, relabel (Yin et al., NeurIPS 2023, arXiv 2306.13092).

The recovery, specified after the authors' code, VILA-Lab/SRe2L at 8d00cba; values from its recover.sh, recover_tiny.sh
and recover_cifar.sh. Squeezing is the teacher's training, relabelling the labeler's business. Its defects are left out:
batches that do not divide the classes work, draws are seeded, and pixels are rounded instead of truncated to JPEG.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import Batch, Inverting, Preset, mean_norm, total_variation


class SRe2L(Inverting):
    """Optimises noise until a teacher sees its classes and the BatchNorm statistics of the training set."""

    name: ClassVar[str] = "sre2l"
    paper: ClassVar[str] = "arXiv 2306.13092"

    tv: float = Field(default=0.0, ge=0, description="Weight of the views' total variation; the paper's scripts: 0.")
    l2: float = Field(default=0.0, ge=0, description="Weight of the views' mean norm; the paper's scripts: 0.")

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                "iterations": 4000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (0, 32),
            },
            "SRe2L's recover.sh for ImageNet-1K",
        ),
        "tiny-imagenet": Preset(
            {
                "iterations": 4000,
                "lr": 0.1,
                "bn_weight": 1.0,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (-4, 4),
            },
            "SRe2L's recover_tiny.sh for Tiny ImageNet",
        ),
        "cifar100": Preset(
            {
                "iterations": 1000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "batch": 100,
                "crop": False,
                "flip": False,
                "roll": (0, 4),
            },
            "SRe2L's recover_cifar.sh for CIFAR-100",
        ),
    }

    def prior(self, batch: Batch) -> Callable[[Tensor], Tensor] | None:  # noqa: ARG002
        if not (self.tv or self.l2):
            return None
        return lambda views: self.tv * total_variation(views) + self.l2 * mean_norm(views)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``sre2l``."""
    return [SRe2L]
