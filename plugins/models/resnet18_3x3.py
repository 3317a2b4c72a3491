"""ResNet-18 (He et al. 2016, arXiv 1512.03385) with the stem that 32 px and 64 px images need."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from rethinkdc.contracts import Model, hookimpl


class ResNet18Small(Model):
    """torchvision's ResNet-18 with a 3x3 stem of stride 1 and no max-pooling, as CIFAR work has it."""

    name: ClassVar[str] = "resnet18-3x3"
    paper: ClassVar[str] = "arXiv 1512.03385"

    def build(self, classes: int, size: int) -> nn.Module:  # noqa: ARG002 - any size works
        from torchvision.models import resnet18

        model: nn.Module = resnet18(weights=None, num_classes=classes)
        stem = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        model.conv1 = stem
        model.maxpool = nn.Identity()
        return model


@hookimpl
def register_methods() -> list[type[Model]]:
    """Registers ``resnet18-3x3``."""
    return [ResNet18Small]
