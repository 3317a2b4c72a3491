"""EDC: elucidating the design space of dataset condensation (Shao et al., NeurIPS 2024, arXiv 2404.13733): its images.

Specified after the authors' code, shaoshitong/EDC at 80116a7; values from its recover.sh files and their defaults. Its
labels are the labeler ``soft-mse-gt:weight=0.025``, its training is the protocol's. ``batch`` is what one process of
its launch optimises: the launch's batch over its GPUs, whose statistics are not gathered. Left out are its defects: the
mean and the variance of a class's patches change places when they are saved, moving averages begin with 0 (these two,
and the pixels that are cut off, are there with ``as_published=true``) and go on from one batch of images to the next,
and images may begin as the same one twice. The flatness term is off in its scripts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, Reference, UnsupportedError, hookimpl
from rethinkdc.distillation import (
    BATCHNORM,
    CIFAR_TEACHERS,
    CONVOLUTION,
    IMAGENET_TEACHERS,
    SMALL_TEACHERS,
    ChannelStatistics,
    Goal,
    Moments,
    Preset,
    Real,
    Start,
    Statistic,
    StatisticalMatching,
    Synthesis,
    real_images,
    stitched_images,
)

SMALL = {
    "iterations": 2000,
    "lr": 0.05,
    "weight": 0.01,
    "alpha": 0.8,
    "drop": 0.0,
    "patch": 4,
    "batch": 25,
    "crop": "resized",
    "min_area": 0.5,
    "statistics": "padded",
    "init": "real",
    "teachers": SMALL_TEACHERS,
}
"""Values for Tiny ImageNet, launched on four GPUs."""


class EDC(StatisticalMatching):
    """Real images that several teachers in turn see the statistics of all images, and of their classes, in."""

    name: ClassVar[str] = "edc"
    paper: ClassVar[str] = "arXiv 2404.13733"
    revision: ClassVar[int] = 2
    jpeg: ClassVar[Collection[str]] = ("imagenet-1k", "cifar10")
    by_class: ClassVar[bool] = True
    faults: ClassVar[Mapping[str, tuple[str, str]]] = {
        **StatisticalMatching.faults,
        "patches of a class": ("mean and variance change places", "each is itself"),
    }

    category: float = Field(
        default=0.5, ge=0, le=1, description="Share of the batch's classes in what is matched; the rest is of all."
    )
    # A set of rded is part of this one: a new revision of it must be one here.
    init: Literal["real", "rded", "noise"] | None = Field(
        default=None, description="What images begin as: random real ones, the set of rded, noise; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                **SMALL,
                "iterations": 1000,
                "weight": 0.1,
                "patch": 16,
                "batch": 20,
                "statistics": "resized",
                "init": "rded",
                "teachers": (*IMAGENET_TEACHERS, Reference(name="torchvision/alexnet")),
            },
            "EDC's recover.sh for ImageNet-1K (four GPUs)",
        ),
        "tiny-imagenet": Preset(SMALL, "EDC's recover.sh for Tiny ImageNet (four GPUs)"),
        "cifar100": Preset({**SMALL, "teachers": CIFAR_TEACHERS}, "EDC's recover.sh for CIFAR-100 (four GPUs)"),
        "cifar10": Preset(
            {**SMALL, "iterations": 75, "min_area": 0.08, "batch": 10, "teachers": CIFAR_TEACHERS},
            "EDC's recover.sh for CIFAR-10 at one image per class (one GPU)",
        ),
    }

    def starting(self, synthesis: Synthesis) -> Start:
        if synthesis.values["init"] == "noise":
            return super().starting(synthesis)
        if synthesis.values["init"] == "real":
            return lambda batch, _: real_images(synthesis, batch)
        stitched = stitched_images(synthesis, self.teachers[0] if self.teachers else None)
        return lambda batch, _: stitched(batch)

    def gathered(self, values: Mapping[str, Any]) -> list[Statistic]:
        return [BATCHNORM, *super().gathered(values)]

    def goals(self, real: Real, labels: Tensor) -> list[Goal]:
        self._check_classes(real, labels)
        own = {
            kind: {name: self._own(kind, moments, labels) for name, moments in layers.items()}
            for kind, layers in real.gathered.items()
        }
        return [Goal(1 - self.category, real.overall.targets), Goal(self.category, own)]

    def _own(self, kind: str, moments: Moments, labels: Tensor) -> ChannelStatistics:
        """What a layer is given of the classes of a batch."""
        found = moments.images_mean(labels)
        if self.as_published and kind not in (BATCHNORM.name, CONVOLUTION.name):
            return ChannelStatistics(mean=found.variance, variance=found.mean)
        return found

    def _check_classes(self, real: Real, labels: Tensor) -> None:
        """Checks that statistics were taken of some image of each class of a batch.

        Raises:
            UnsupportedError: names a class without any.
        """
        for layers in real.gathered.values():
            for moments in layers.values():
                missing = labels[moments.samples[labels] == 0]
                if len(missing):
                    raise UnsupportedError(
                        f"{self.name}:images={self.images} takes statistics of no image of class {int(missing[0])}. "
                        "Take more, or leave it out for all."
                    )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``edc``."""
    return [EDC]
