"""DWA: diversity-driven synthesis by directed weight adjustment (Du et al., NeurIPS 2024, arXiv 2409.17612).

Specified after the authors' code, AngusDujw/Diversity-Driven-Synthesis at c5b125f; values from its scripts. Its defects
are left out: the teacher's weights are fresh for every batch, where the code lets the adjustments of ImageNet's batches
add up and mixes gradients of the images' iterations into the next batch's direction.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.distillation import Batch, Inverting, Optimisation, Preset, Synthesis, real_images


class DWA(Inverting):
    """SRe2L from real images, with a slightly different teacher for each batch and more weight on variances.

    The images are random ones of their classes, without repeats until a class has no more. Before a batch is optimised,
    a copy of the teacher takes ``steps`` steps *up* the cross-entropy of the batch's first views.
    """

    name: ClassVar[str] = "dwa"
    paper: ClassVar[str] = "arXiv 2409.17612"

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

    def recipe(self, values: Mapping[str, Any]) -> Optimisation:
        return super().recipe(values)._replace(variance=values["bn_variance"])


def adjusted(module: nn.Module, images: Tensor, labels: Tensor, steps: int, rho: float) -> nn.Module:
    """A copy of a network whose weights went up the cross-entropy of some images, in normalised steps.

    Each step adds (rho / steps) * g / (||g|| + 1e-12), the norm over all parameters together.

    Args:
        module: in evaluation mode; left as it is.
        images: as the network takes them, [B, 3, S, S]; no gradient flows to them.
        labels: int64 [B].
        steps: K; 0 gives the network's own weights.
        rho: length of the way, if all steps had one direction.

    Returns:
        The copy, frozen, in evaluation mode.
    """
    moved = copy.deepcopy(module).requires_grad_(True)
    weights, shown = list(moved.parameters()), images.detach()
    for _ in range(steps):
        loss = F.cross_entropy(moved(shown).float(), labels)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        scale = rho / steps / (torch.stack([gradient.norm() for gradient in gradients]).norm() + 1e-12)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.add_(gradient * scale)
    return moved.requires_grad_(False)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dwa``."""
    return [DWA]
