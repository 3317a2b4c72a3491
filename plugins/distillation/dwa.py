"""DWA: diversity-driven synthesis by directed weight adjustment (Du et al., NeurIPS 2024, arXiv 2409.17612).

Specified after the authors' code, AngusDujw/Diversity-Driven-Synthesis at c5b125f; values from its scripts. Its defects
are left out: the teacher's weights are fresh for every batch, where the code lets the adjustments of ImageNet's batches
add up and mixes gradients of the images' iterations into the next batch's direction. ``as_published=true`` does it too:
then the batches of one image per class follow from one another, and make one part of the set. (The gradients that the
ascent leaves in the images' very first step are never there.)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import (
    Batch,
    Beginning,
    GradientSum,
    Inverting,
    Optimisation,
    Preset,
    Synthesis,
    batchnorm_turn,
    real_images,
    running_statistics,
)


class DWA(Inverting):
    """SRe2L from real images, with a slightly different teacher for each batch and more weight on variances.

    The images are random ones of their classes, without repeats until a class has no more. Before a batch is optimised,
    a copy of the teacher takes ``steps`` steps *up* the cross-entropy of the batch's first views.
    """

    name: ClassVar[str] = "dwa"
    paper: ClassVar[str] = "arXiv 2409.17612"
    faults: ClassVar[Mapping[str, tuple[str, str]]] = {
        **Inverting.faults,
        "adjusted weights": ("add up over the batches of an image per class", "are fresh for each batch"),
    }

    bn_variance: float | None = Field(
        default=None, ge=0, description="Weight of the variances in the BatchNorm term; none = the paper's."
    )
    steps: int | None = Field(default=None, ge=0, description="K, steps of the weights' ascent; none = the paper's.")
    rho: float = Field(default=0.015, ge=0, description="Length of the whole ascent, in weight space.")

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {
                "iterations": 2000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "bn_variance": 2.0,
                "steps": 15,
                "batch": 100,
                "crop": True,
                "flip": True,
                "roll": (0, 32),
            },
            "DWA's run_imgnet.sh for ImageNet-1K",
        ),
        "tiny-imagenet": Preset(
            {
                "iterations": 2000,
                "lr": 0.1,
                "bn_weight": 0.01,
                "bn_variance": 11.0,
                "steps": 12,
                "batch": 200,
                "crop": True,
                "flip": True,
                "roll": (0, 4),
            },
            "DWA's run_tiny.sh for Tiny ImageNet",
        ),
        "cifar100": Preset(
            {
                "iterations": 1000,
                "lr": 0.25,
                "bn_weight": 0.01,
                "bn_variance": 11.0,
                "steps": 12,
                "batch": 100,
                "crop": False,
                "flip": False,
                "roll": (0, 4),
            },
            "DWA's run_cifar.sh for CIFAR",
        ),
    }

    def start(self, synthesis: Synthesis, batch: Batch, index: int) -> Tensor:  # noqa: ARG002
        return real_images(synthesis, batch)

    def network(self, synthesis: Synthesis, images: Tensor, labels: Tensor, index: int) -> nn.Module:
        shown = self.viewed(synthesis, images, 0, index)
        return adjusted(synthesis.teachers[0].module, shown, labels, synthesis.values["steps"], self.rho)

    def chains(self, batches: Sequence[Batch]) -> list[range]:
        if not self.as_published:
            return super().chains(batches)
        starts = [index for index, batch in enumerate(batches) if int(batch.labels[0]) == 0]
        return [range(first, end) for first, end in pairwise([*starts, len(batches)])]

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        return self._following(synthesis) if self.as_published else super().prepared(synthesis)

    def _following(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        """Batches whose teacher is that of the batch before, moved on; of the first of a chain the teacher itself."""
        teacher, steps = synthesis.teachers[0], synthesis.values["steps"]
        moved, summed = teacher.module, GradientSum([])

        def begun(batch: Batch, index: int, labels: Tensor) -> Beginning:
            nonlocal moved, summed
            images = self.start(synthesis, batch, index).to(teacher.device, memory_format=torch.channels_last)
            first = int(batch.labels[0]) == 0
            module, carried = (teacher.module, None) if first else (moved, summed.total)
            shown = self.viewed(synthesis, images, 0, index)
            moved = adjusted(module, shown, labels, steps, self.rho, carried).requires_grad_(True)
            summed = GradientSum(list(moved.parameters()))
            return Beginning(images, [batchnorm_turn(moved, running_statistics(moved))], summed)

        return begun

    def recipe(self, values: Mapping[str, Any]) -> Optimisation:
        return super().recipe(values)._replace(variance=values["bn_variance"])


def adjusted(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    steps: int,
    rho: float,
    carried: Sequence[Tensor] | None = None,
) -> nn.Module:
    """A copy of a network whose weights went up the cross-entropy of some images, in normalised steps.

    Each step adds (rho / steps) * g / (||g|| + 1e-12), the norm over all parameters together.

    Args:
        module: in evaluation mode; left as it is.
        images: as the network takes them, [B, 3, S, S]; no gradient flows to them.
        labels: int64 [B].
        steps: K; 0 gives the network's own weights.
        rho: length of the way, if all steps had one direction.
        carried: gradients that the first step adds to its own, by parameter; None = none.

    Returns:
        The copy, frozen, in evaluation mode.
    """
    moved = copy.deepcopy(module).requires_grad_(True)
    weights, shown = list(moved.parameters()), images.detach()
    for step in range(steps):
        loss = F.cross_entropy(moved(shown).float(), labels)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        if step == 0 and carried is not None:
            gradients = tuple(own + before for own, before in zip(gradients, carried, strict=True))
        scale = rho / steps / (torch.stack([gradient.norm() for gradient in gradients]).norm() + 1e-12)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.add_(gradient * scale)
    return moved.requires_grad_(False)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dwa``."""
    return [DWA]
