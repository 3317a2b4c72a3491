"""The view ops that a protocol file can name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rethinkdc.views.base import CropOp, DifferentiableOp, MixOp, PixelOp, ViewOp
from rethinkdc.views.crop import RandomResizedCrop
from rethinkdc.views.cutmix import CutMix
from rethinkdc.views.dsa import Dsa
from rethinkdc.views.geometry import Affine, CropPad, Flip
from rethinkdc.views.mixup import MixUp
from rethinkdc.views.rand_augment import RandAugment
from rethinkdc.views.roll import Roll
from rethinkdc.views.shuffle import ShufflePatches

AnyViewOp = Annotated[
    RandomResizedCrop | Flip | CropPad | Roll | Affine | Dsa | RandAugment | ShufflePatches | CutMix | MixUp,
    Field(discriminator="op"),
]

__all__ = [
    "Affine",
    "AnyViewOp",
    "CropOp",
    "CropPad",
    "CutMix",
    "DifferentiableOp",
    "Dsa",
    "Flip",
    "MixOp",
    "MixUp",
    "PixelOp",
    "RandAugment",
    "RandomResizedCrop",
    "Roll",
    "ShufflePatches",
    "ViewOp",
]
