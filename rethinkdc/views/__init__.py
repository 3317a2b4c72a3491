"""Views: augmented renderings of stored images, geometry first."""

from __future__ import annotations

from rethinkdc.views.changed import ChangedViews
from rethinkdc.views.differentiable import DifferentiableViews
from rethinkdc.views.dsa import STRATEGIES, Strategy
from rethinkdc.views.fixed import FixedViews
from rethinkdc.views.matrix import matrix_crops
from rethinkdc.views.normalise import Normaliser
from rethinkdc.views.op import (
    VIEW_OPS,
    Affine,
    AnyViewOp,
    CropOp,
    CropPad,
    CutMix,
    DifferentiableOp,
    Dsa,
    FindOps,
    Flip,
    MixOp,
    MixUp,
    PixelOp,
    RandAugment,
    RandomResizedCrop,
    Roll,
    ShufflePatches,
    ViewOp,
    foreign_names,
)
from rethinkdc.views.pipeline import VIEWS_REVISION, Views, views_per_image
from rethinkdc.views.render import render_crops
from rethinkdc.views.uniforms import uniforms

__all__ = [
    "STRATEGIES",
    "VIEWS_REVISION",
    "VIEW_OPS",
    "Affine",
    "AnyViewOp",
    "ChangedViews",
    "CropOp",
    "CropPad",
    "CutMix",
    "DifferentiableOp",
    "DifferentiableViews",
    "Dsa",
    "FindOps",
    "FixedViews",
    "Flip",
    "MixOp",
    "MixUp",
    "Normaliser",
    "PixelOp",
    "RandAugment",
    "RandomResizedCrop",
    "Roll",
    "ShufflePatches",
    "Strategy",
    "ViewOp",
    "Views",
    "foreign_names",
    "matrix_crops",
    "render_crops",
    "uniforms",
    "views_per_image",
]
