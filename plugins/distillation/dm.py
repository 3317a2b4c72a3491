"""Distribution matching (Zhao & Bilen, WACV 2023, arXiv 2110.04181; VICO-UoE/DatasetCondensation at 53f63a6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rethinkdc.contracts import Method, Protocol, Setting, hookimpl
from rethinkdc.distillation import DistributionMatching, embedding, mean_distance

_MANY = 100
"""Images per class from which on the authors take ten times the rate."""


class DM(DistributionMatching):
    """Moves synthetic images until their mean features under random networks are those of real images of the class.

    Each iteration has a new, untrained network, the same for every class, as the authors' code has one for all; with
    Siamese augmentation of real and synthetic images, drawn anew for each class as there. Classes do not meet, so each
    is a part of its own. Networks with BatchNorm are refused: the authors give them all classes at once.
    """

    name: ClassVar[str] = "dm"
    paper: ClassVar[str] = "arXiv 2110.04181"

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        settings = super().settings(protocol, ipc)
        if self.lr is None and ipc is not None:
            rate = 10.0 if ipc >= _MANY else 1.0
            settings["lr"] = Setting(rate, f"VICO-UoE/DatasetCondensation at 53f63a6 for ipc {ipc}")
        return settings

    def distance(self, network: nn.Module, real: Tensor, made: Tensor, values: Mapping[str, Any]) -> Tensor:  # noqa: ARG002
        """Squared distance of the mean features of two batches under a frozen network."""
        with embedding(network) as embed:
            with torch.no_grad():
                target = embed(real)
            return mean_distance(target, embed(made))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``dm``."""
    return [DM]
