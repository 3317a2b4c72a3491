"""SRe2L++: SRe2L from stitched real crops, the baseline of CV-DD (Cui et al., arXiv 2501.07575).

Specified after the authors' code, Jiacheng8/CV-DD at 24097e9 (recover.py with model setting 0); values from its
recover_sre2l_ipc50.sh files. Its labels are those of a teacher in training mode: ``soft-stored:teacher_bn=batch``,
asked there in halves of a batch of 16. The authors' initial patches come as files, in RDED's layout and called medium;
how they were graded is not published, so ``rded``'s own are taken here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Deviation, Method, Protocol, hookimpl
from rethinkdc.distillation import PATCHES, Batch, Beginning, Inverting, Preset, Synthesis, real_images, stitched_images

SMALL = {
    "iterations": 4000,
    "lr": 0.25,
    "bn_weight": 0.01,
    "batch": 100,
    "crop": True,
    "flip": True,
    "roll": (0, 4),
}


class SRe2LPlusPlus(Inverting):
    """SRe2L that begins with real crops and shows crops and flips on small images too."""

    name: ClassVar[str] = "sre2lpp"
    paper: ClassVar[str] = "arXiv 2501.07575"

    # A set of rded is part of this one: a new revision of it must be one here.
    init: Literal["rded", "real"] = Field(
        default="rded", description="What images begin as: the set of rded, or random real ones."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset({**SMALL, "roll": (0, 32)}, "CV-DD's recover_sre2l_ipc50.sh for ImageNet-1K"),
        "tiny-imagenet": Preset(SMALL, "CV-DD's recover_sre2l_ipc50.sh for Tiny ImageNet"),
        "cifar100": Preset(SMALL, "CV-DD's recover_sre2l_ipc50.sh for CIFAR-100"),
        "cifar10": Preset({**SMALL, "batch": 10}, "CV-DD's recover_sre2l_ipc50.sh for CIFAR-10"),
    }

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        return {**super().deviations(protocol, ipc), "initial images": PATCHES}

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        begun = super().prepared(synthesis)
        stitched = stitched_images(synthesis, self.teacher) if self.init == "rded" else None

        def from_crops(batch: Batch, index: int, labels: Tensor) -> Beginning:
            images = stitched(batch) if stitched else real_images(synthesis, batch)
            return begun(batch, index, labels)._replace(images=images)

        return from_crops


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``sre2lpp``."""
    return [SRe2LPlusPlus]
