"""What compressors that invert one teacher have in common (SRe2L, arXiv 2306.13092, and what followed it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Deviation, Setting
from rethinkdc.distillation.batchnorm import matchable, running_statistics
from rethinkdc.distillation.channels import ChannelStatistics
from rethinkdc.distillation.descent import Optimisation, Turn
from rethinkdc.distillation.layer_statistics import Goal, StatisticsMatching
from rethinkdc.distillation.moments import Moments
from rethinkdc.distillation.recovering import Batch, Beginning, PixelRange, Recovering, Synthesis, noise, require_size
from rethinkdc.distillation.statistics import BATCHNORM
from rethinkdc.errors import UnsupportedError
from rethinkdc.method import OfKind
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget
from rethinkdc.views import Flip, RandomResizedCrop, Roll, ViewOp

_LARGE = 112
"""Side in pixels from which on canvases are like ImageNet's."""
_SMALLEST = 32
"""Side in pixels of the smallest images that the papers have values for: CIFAR's."""


class MatchingBatchNorm(Recovering):
    """Base of compressors that match the BatchNorm statistics of real images, of one teacher or several.

    What a subclass may change: which canvases share a batch, where they begin, and how views are cropped.
    """

    bn_weight: float | None = Field(
        default=None, ge=0, description="Weight of the BatchNorm term beside the cross-entropy; none = the paper's."
    )
    first_bn: float = Field(default=10.0, ge=0, description="Multiplier of the first BatchNorm layer.")
    batch: int | None = Field(default=None, ge=1, description="Images optimised together; none = the paper's.")
    crop: bool | None = Field(default=None, description="Random resized crops of each step; none = the paper's.")
    min_area: float = Field(default=0.08, gt=0, le=1, description="Smallest share of the canvas that a crop shows.")
    flip: bool | None = Field(default=None, description="Random flips of each step; none = the paper's.")
    roll: PixelRange | None = Field(
        default=None, description="Range of the circular shift of each step, in pixels; none = the paper's."
    )

    def resolved(self, size: int, classes: int) -> dict[str, Setting]:
        """As everywhere; but on canvases below 32 px a preset's roll keeps its share of them.

        A roll of 4 px is an eighth of a CIFAR image, and half of one of 8 px: whatever is optimised under that is alike
        at all places, and shows no object.
        """
        settings = super().resolved(size, classes)
        (low, high), source = settings["roll"]
        if size < _SMALLEST and source != "given":
            scaled = (round(low * size / _SMALLEST), round(high * size / _SMALLEST))
            settings["roll"] = Setting(scaled, f"{source}; shifts scaled from {_SMALLEST} px")
        return settings

    # -- what a subclass may change --------------------------------------------------------------------------------

    def batches(self, budget: Budget, size: int | None) -> list[Batch]:
        """The batches in order: one canvas of each of ``size`` different classes, then of the next ones; then again."""
        chunks = torch.arange(budget.classes).split(size or budget.classes)
        return [Batch(labels, torch.full_like(labels, copy)) for copy in range(budget.ipc) for labels in chunks]

    def start(self, synthesis: Synthesis, batch: Batch, index: int) -> Tensor:
        """Where a batch begins, normalised float32 [B, 3, S, S]: unit Gaussian noise, the same for every method."""
        return noise(synthesis, batch, index)

    def smallest_area(self, iteration: int, iterations: int) -> float:  # noqa: ARG002
        """Smallest share of the canvas that a crop shows in a 0-based iteration."""
        return self.min_area

    def recipe(self, values: Mapping[str, Any]) -> Optimisation:
        return Optimisation(values["iterations"], values["lr"], values["bn_weight"], values["first_bn"])

    # -- the way of all --------------------------------------------------------------------------------------------

    def ops(self, values: Mapping[str, Any], size: int, iteration: int) -> list[ViewOp]:  # noqa: ARG002
        ops: list[ViewOp] = []
        if values["crop"]:
            ops.append(RandomResizedCrop(scale=(self.smallest_area(iteration, values["iterations"]), 1.0)))
        if values["flip"]:
            ops.append(Flip())
        low, high = values["roll"]
        return [*ops, Roll(low=low, high=high)] if (low, high) != (0, 0) else ops


class Inverting(MatchingBatchNorm):
    """Base of compressors that optimise images until a teacher sees their classes with real ones' BatchNorm statistics.

    What a subclass may change, too: which network is inverted, and which statistics are matched.
    """

    teacher: Annotated[Reference | None, OfKind("teacher")] = Field(
        default=None, description="Network that is inverted, with BatchNorm; none = the protocol's."
    )

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:
        usual = protocol.teacher.use if protocol.teacher else None
        asked = str(self.teacher or usual or "none")
        authors = "ResNet-18 of torchvision" if protocol.store.size >= _LARGE else "ResNet-18 with a 3x3 stem"
        told = super().deviations(protocol, ipc)
        return {**told, "network": Deviation(authors, asked, "the protocol trains its own")}

    def network(self, synthesis: Synthesis, images: Tensor, labels: Tensor, index: int) -> nn.Module:  # noqa: ARG002
        """The frozen network that a batch inverts, which begins as ``images``; the teacher's own must stay as it is."""
        return synthesis.teachers[0].module

    def class_moments(self, synthesis: Synthesis) -> Mapping[str, Moments] | None:  # noqa: ARG002
        """Statistics to match, by layer and class, for batches of one class; None = the network's running ones."""
        return None

    def asked(self, budget: Budget, context: Context) -> list[Teacher]:
        untrained = context.untrained_teacher(self.teacher)
        if untrained is not None:
            require_batchnorm(self.name, str(self.teacher or "of the protocol"), untrained)
        teacher: Teacher = context.teacher(self.teacher)
        require_batchnorm(self.name, teacher.id, teacher.module)
        require_size(self.name, teacher, budget.size, f"{self.name}:teacher=trained")
        return [teacher]

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        moments, device = self.class_moments(synthesis), synthesis.teachers[0].device

        def begun(batch: Batch, index: int, labels: Tensor) -> Beginning:
            images = self.start(synthesis, batch, index).to(device, memory_format=torch.channels_last)
            module = self.network(synthesis, images, labels, index)
            label = int(batch.labels[0])
            targets = (
                running_statistics(module)
                if moments is None
                else {layer: own.of(label) for layer, own in moments.items()}
            )
            return Beginning(images, [batchnorm_turn(module, targets)])

        return begun


def batchnorm_turn(module: nn.Module, targets: Mapping[str, ChannelStatistics]) -> Turn:
    """The part of a network whose BatchNorm layers should be given such statistics, by layer."""
    return Turn(StatisticsMatching(module, [BATCHNORM], [Goal(1.0, {BATCHNORM.name: targets})]))


def require_batchnorm(method: str, teacher: str, module: nn.Module) -> None:
    """Checks that a teacher's network has BatchNorm statistics to match.

    Raises:
        UnsupportedError: names the method and the teacher.
    """
    if not matchable(module):
        raise UnsupportedError(
            f"{method} matches the statistics of BatchNorm layers, and the teacher {teacher} has none that keeps "
            "statistics. Name one with BatchNorm2d, for example a recipe of the protocol: "
            f"{method}:teacher=[trained:recipe=NAME] (`rethinkdc show PROTOCOL` prints the recipes and their models)."
        )
