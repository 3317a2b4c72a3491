"""Tiny ImageNet, from the Hugging Face hub (zh-plus/tiny-imagenet)."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import HubFileDataset


class TinyImageNet(HubFileDataset):
    """Tiny ImageNet: 110,000 photographs of 200 classes, 64 px, tested on the validation split."""

    name: ClassVar[str] = "tiny-imagenet"
    hub_id: ClassVar[str] = "zh-plus/tiny-imagenet"
    schema: ClassVar[Schema | None] = Schema(classes=200, train=100_000, test=10_000)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers Tiny ImageNet."""
    return [TinyImageNet]
