"""EDC: elucidating the design space of dataset condensation (Shao et al., NeurIPS 2024, arXiv 2404.13733): its images.

Specified after the authors' code, shaoshitong/EDC at 80116a7; values from its recover.sh files and their defaults. Its
labels are the labeler ``soft-mse-gt``, its training is the protocol's. Left out are its defects: the mean and the
variance of a class's patches change places when they are saved, moving averages begin with 0 and go on from one batch
of images to the next, and images may begin as the same one twice. The flatness term is off in its scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, Reference, UnsupportedError, hookimpl
from rethinkdc.data import rows_by_class
from rethinkdc.distillation import (
    BATCHNORM,
    Batch,
    Goal,
    Preset,
    Real,
    Start,
    Statistic,
    StatisticalMatching,
    Synthesis,
    real_images,
)

SMALL = {
    "iterations": 2000,
    "lr": 0.05,
    "weight": 0.01,
    "alpha": 0.8,
    "drop": 0.0,
    "patch": 4,
    "batch": 100,
    "crop": "resized",
    "min_area": 0.5,
    "statistics": "padded",
    "init": "real",
}
"""Values for CIFAR-100 and Tiny ImageNet."""


class EDC(StatisticalMatching):
    """Real images that several teachers in turn see the statistics of all images, and of their classes, in."""

    name: ClassVar[str] = "edc"
    paper: ClassVar[str] = "arXiv 2404.13733"
    by_class: ClassVar[bool] = True

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
                "batch": 80,
                "statistics": "resized",
                "init": "rded",
            },
            "EDC's recover.sh for ImageNet-1K",
        ),
        "tiny-imagenet": Preset(SMALL, "EDC's recover.sh for Tiny ImageNet"),
        "cifar100": Preset(SMALL, "EDC's recover.sh for CIFAR-100"),
        "cifar10": Preset(
            {**SMALL, "iterations": 75, "min_area": 0.08},
            "EDC's recover.sh for CIFAR-10 at one image per class, with the batch of CIFAR-100",
        ),
    }

    def starting(self, synthesis: Synthesis) -> Start:
        if synthesis.values["init"] == "noise":
            return super().starting(synthesis)
        if synthesis.values["init"] == "real":
            return lambda batch, _: real_images(synthesis, batch)
        named = self.teachers[0] if self.teachers else None
        begun = synthesis.context.compress(
            Reference(name="rded", values={"teacher": named} if named else {}), synthesis.data, synthesis.budget
        )

        own = rows_by_class(begun.targets, synthesis.budget.classes)

        def stitched(batch: Batch, _: int) -> Tensor:
            pairs = zip(batch.labels.tolist(), batch.copies.tolist(), strict=True)
            rows = [int(own[label][copy]) for label, copy in pairs]
            return synthesis.teachers[0].normalised(
                begun.canvases(begun.targets.new_tensor(rows), synthesis.budget.size)
            )

        return stitched

    def gathered(self, values: Mapping[str, Any]) -> list[Statistic]:
        return [BATCHNORM, *super().gathered(values)]

    def goals(self, real: Real, labels: Tensor) -> list[Goal]:
        self._check_classes(real, labels)
        own = {
            kind: {name: moments.images_mean(labels) for name, moments in layers.items()}
            for kind, layers in real.gathered.items()
        }
        return [Goal(1 - self.category, real.overall.targets), Goal(self.category, own)]

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
