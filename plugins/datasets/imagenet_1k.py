"""ImageNet-1K, from the Hugging Face hub (ILSVRC/imagenet-1k)."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import HubFileDataset


class ImageNet1k(HubFileDataset):
    """ImageNet-1K: 1,331,167 photographs of 1,000 classes, tested on the validation split; gated, needs a login."""

    name: ClassVar[str] = "imagenet-1k"
    hub_id: ClassVar[str] = "ILSVRC/imagenet-1k"
    schema: ClassVar[Schema | None] = Schema(classes=1_000, train=1_281_167, test=50_000)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers ImageNet-1K."""
    return [ImageNet1k]
