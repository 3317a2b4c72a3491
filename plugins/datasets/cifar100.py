"""CIFAR-100, from the Hugging Face hub (uoft-cs/cifar100)."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Dataset, Schema, hookimpl
from rethinkdc.layouts import HubFileDataset


class Cifar100(HubFileDataset):
    """CIFAR-100: 60,000 photographs of 100 classes, 32 px (columns img, fine_label)."""

    name: ClassVar[str] = "cifar100"
    hub_id: ClassVar[str] = "uoft-cs/cifar100"
    schema: ClassVar[Schema | None] = Schema(classes=100, train=50_000, test=10_000)


@hookimpl
def register_methods() -> list[type[Dataset]]:
    """Registers CIFAR-100."""
    return [Cifar100]
