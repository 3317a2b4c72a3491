"""Imagenette, ten easy classes of ImageNet-1K (fastai/imagenette)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import ClassSubset

_CLASSES = {
    "n01440764": 0,  # tench
    "n02102040": 217,  # English springer
    "n02979186": 482,  # cassette player
    "n03000684": 491,  # chain saw
    "n03028079": 497,  # church
    "n03394916": 566,  # French horn
    "n03417042": 569,  # garbage truck
    "n03425413": 571,  # gas pump
    "n03445777": 574,  # golf ball
    "n03888257": 701,  # parachute
}
"""WordNet ids of the classes, each with its number among ImageNet-1K's, which are sorted by these ids:
fastai/imagenette."""


class Imagenette(ClassSubset):
    """Imagenette: ten classes of ImageNet-1K that are easily told apart, tested on its validation images."""

    name: ClassVar[str] = "imagenette"
    hub_id: ClassVar[str] = "ILSVRC/imagenet-1k"
    classes: ClassVar[Mapping[str, int]] = _CLASSES
    of: ClassVar[int] = 1000
    schema: ClassVar[Schema | None] = Schema(classes=10, train=12_894, test=500)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers Imagenette."""
    return [Imagenette]
