"""CDA: curriculum data augmentation for SRe2L (Yin and Shen, TMLR 2024, arXiv 2311.18838).

Specified after the authors' code, VILA-Lab/SRe2L at 8d00cba, folder CDA; values from its README. There the curriculum
is off unless a milestone is given, here it spans the whole run as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import Inverting, Preset

Curve = Literal["cosine", "linear", "step"]


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


def curriculum(iteration: int, milestone: float, curve: Curve, floor: float = 0.08) -> float:
    """The smallest area of a crop, as a share of the image.

    Args:
        iteration: 0-based.
        milestone: M, the iteration at which the curriculum has come to its end.
        curve: how it falls from 1 until then.
        floor: the area from then on.
    """
    if iteration >= milestone:
        return floor
    done = iteration / milestone
    height = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "step": 1.0}[curve]
    return floor + (1 - floor) * height


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``cda``."""
    return [CDA]
