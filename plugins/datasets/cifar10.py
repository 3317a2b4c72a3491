"""CIFAR-10, from the Hugging Face hub (uoft-cs/cifar10)."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import HubFileDataset


class Cifar10(HubFileDataset):
    """CIFAR-10: 60,000 photographs of 10 classes, 32 px (columns img, label)."""

    name: ClassVar[str] = "cifar10"
    hub_id: ClassVar[str] = "uoft-cs/cifar10"
    schema: ClassVar[Schema | None] = Schema(classes=10, train=50_000, test=10_000)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers CIFAR-10."""
    return [Cifar10]
