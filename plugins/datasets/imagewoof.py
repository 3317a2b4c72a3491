"""ImageWoof, ten breeds of dogs of ImageNet-1K (fastai/imagenette)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import ClassSubset

_CLASSES = {
    "n02086240": 155,  # Shih-Tzu
    "n02087394": 159,  # Rhodesian ridgeback
    "n02088364": 162,  # beagle
    "n02089973": 167,  # English foxhound
    "n02093754": 182,  # Border terrier
    "n02096294": 193,  # Australian terrier
    "n02099601": 207,  # golden retriever
    "n02105641": 229,  # Old English sheepdog
    "n02111889": 258,  # Samoyed
    "n02115641": 273,  # dingo
}
"""WordNet ids of the classes, each with its number among ImageNet-1K's, which are sorted by these ids:
fastai/imagenette."""


class Imagewoof(ClassSubset):
    """ImageWoof: ten breeds of dogs of ImageNet-1K, tested on its validation images."""

    name: ClassVar[str] = "imagewoof"
    hub_id: ClassVar[str] = "ILSVRC/imagenet-1k"
    classes: ClassVar[Mapping[str, int]] = _CLASSES
    of: ClassVar[int] = 1000
    schema: ClassVar[Schema | None] = Schema(classes=10, train=12_454, test=500)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers ImageWoof."""
    return [Imagewoof]
