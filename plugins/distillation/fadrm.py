"""FADRM: fast and accurate data residual matching (Cui et al., NeurIPS 2025, arXiv 2506.24125).

Specified after the authors' code, Jiacheng8/FADRM at f445e38; values from its recover_fadrm_ipc50.sh files, and with
several teachers, which is FADRM+, from recover_fadrm+_ipc10.sh. The authors optimise under autocast to float16
(``--precision bf16`` is the nearest here). Their initial patches come as files, in RDED's layout and called medium; how
they were graded is not published, so ``rded``'s own are taken here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Method, Reference, Teacher, UnsupportedError, hookimpl
from rethinkdc.distillation import (
    Batch,
    Beginning,
    Committee,
    Preset,
    Synthesis,
    batchnorm_turn,
    renormalisation,
    running_statistics,
)

SMALL = {
    "iterations": 2000,
    "stages": 4,
    "lr": 0.25,
    "bn_weight": 0.01,
    "batch": 100,
    "crop": True,
    "flip": True,
    "roll": (0, 4),
}

_RESNET = (Reference(name="trained", values={"model": Reference(name="resnet18-3x3")}),)


class FADRM(Committee):
    """Real crops that are optimised in stages, each begun anew with the real ones mixed in; every other one smaller.

    Several teachers take turns.
    """

    name: ClassVar[str] = "fadrm"
    paper: ClassVar[str] = "arXiv 2506.24125"
    jpeg: ClassVar[Collection[str]] = ()
    authors_precision: ClassVar[str] = "autocast to float16"

    stages: int | None = Field(default=None, ge=1, description="Stages of equal length; none = the paper's.")
    keep: float = Field(
        default=0.5, ge=0, le=1, description="alpha, share of the optimised images after a stage; the rest is real."
    )
    small: int | None = Field(
        default=None, ge=1, description="Side of the images in the first, third, ... stage; none = the paper's."
    )

    presets: ClassVar[Mapping[str, Preset]] = {
        "imagenet-1k": Preset(
            {**SMALL, "roll": (0, 32), "small": 200, "teachers": (Reference(name="torchvision/resnet18"),)},
            "FADRM's recover_fadrm_ipc50.sh for ImageNet-1K",
        ),
        "tiny-imagenet": Preset(
            {**SMALL, "iterations": 1000, "stages": 2, "lr": 0.01, "small": 64, "teachers": _RESNET},
            "FADRM's recover_fadrm_ipc50.sh for Tiny ImageNet",
        ),
        "cifar100": Preset({**SMALL, "small": 32, "teachers": _RESNET}, "FADRM's recover_fadrm_ipc50.sh for CIFAR-100"),
    }

    def prepared(self, synthesis: Synthesis) -> Callable[[Batch, int, Tensor], Beginning]:
        teachers, full, values = synthesis.teachers, synthesis.budget.size, synthesis.values
        sides = [full if stage % 2 else min(values["small"], full) for stage in range(values["stages"] - 1)] + [full]

        for teacher in teachers:
            self._check_side(teacher, sides[0])
        initial = self.initial(synthesis)

        def staged(batch: Batch, _: int, __: Tensor) -> Beginning:
            real = initial(batch)
            turns = [
                batchnorm_turn(one.module, running_statistics(one.module))._replace(
                    shown=renormalisation(teachers[0], one)
                )
                for one in teachers
            ]
            edits = {
                stage * values["iterations"] // values["stages"]: mixing(real, sides[stage], self.keep)
                for stage in range(1, values["stages"])
            }
            return Beginning(resized(real, sides[0]), turns, edits=edits)

        return staged

    def _check_side(self, teacher: Teacher, side: int) -> None:
        """Checks that a teacher takes images of a side.

        Raises:
            UnsupportedError: names the teacher and the side.
        """
        try:
            with torch.no_grad():
                teacher.module(torch.zeros((1, 3, side, side), device=teacher.device))
        except RuntimeError as error:
            raise UnsupportedError(
                f"{self.name} shows images of {side} px in every other stage, which the teacher {teacher.id} does not "
                f"take. Set small={teacher.size}, or name a teacher that pools what is left of an image."
            ) from error


def mixing(real: Tensor, side: int, keep: float) -> Callable[[Tensor], Tensor]:
    """Keep * images + (1 - keep) * real, both brought to a side first."""

    def mixed(images: Tensor) -> Tensor:
        return keep * resized(images, side) + (1 - keep) * resized(real, side).to(images)

    return mixed


def resized(images: Tensor, side: int) -> Tensor:
    """Images [B, 3, s, s] at a side, bilinearly and without a filter against aliasing, as the authors have it."""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``fadrm``."""
    return [FADRM]
