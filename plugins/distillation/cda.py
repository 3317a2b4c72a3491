"""CDA: curriculum data augmentation for SRe2L (Yin and Shen, TMLR 2024, arXiv 2311.18838).

Specified after the authors' code, VILA-Lab/SRe2L at 8d00cba, folder CDA; values from its README. There the curriculum
is off unless a milestone is given, here it spans the whole run as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import Curve, Inverting, Preset, curriculum


class CDA(Inverting):
    """SRe2L whose crops begin with almost the whole image and become smaller: outlines first, details later."""

    name: ClassVar[str] = "cda"
    paper: ClassVar[str] = "arXiv 2311.18838"

    milestone: float = Field(
        default=1.0, ge=0, le=1, description="Share of the iterations that the curriculum takes; 0 = no curriculum."
    )
    curve: Curve = Field(default="cosine", description="How the smallest area falls until the milestone.")

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
            "CDA's README for ImageNet-1K",
        ),
        "imagenet-21k": Preset(
            {
                "iterations": 2000,
                "lr": 0.05,
                "bn_weight": 0.25,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (0, 32),
            },
            "CDA's README for ImageNet-21K",
        ),
        "tiny-imagenet": Preset(
            {
                "iterations": 4000,
                "lr": 0.4,
                "bn_weight": 0.05,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (0, 4),
            },
            "CDA's README for Tiny ImageNet",
        ),
        "cifar100": Preset(
            {
                "iterations": 1000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (0, 4),
            },
            "untuned: SRe2L's recover_cifar.sh for CIFAR-100, with the crops that the curriculum needs",
        ),
    }

    @model_validator(mode="after")
    def _the_curriculum_is_the_crop(self) -> CDA:
        if self.crop is False:
            raise ValueError("crop=false leaves no curriculum: that is sre2l")
        return self

    def smallest_area(self, iteration: int, iterations: int) -> float:
        return curriculum(iteration, self.milestone * iterations, self.curve, self.min_area)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``cda``."""
    return [CDA]
