"""What a network architecture is, and how one is made without touching anybody's random numbers."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from rethinkdc.method import Method


class Model(Method):
    """A network architecture: the fields are its shape, and :meth:`build` makes it with fresh weights."""

    kind: ClassVar[str] = "model"

    def build(self, classes: int, size: int) -> nn.Module:
        """Makes the network for images [B, 3, size, size] and logits [B, classes], never pretrained.

        The weights come from torch's global generator, as every ``nn`` layer draws them; :func:`build_seeded` is the
        way to call this.

        Raises:
            RequestError: the architecture cannot serve this size.
        """
        raise NotImplementedError


def build_seeded(model: Model, classes: int, size: int, seed: int) -> nn.Module:
    """Builds ``model`` on the CPU from ``seed``: the same weights for every device, the global generator untouched."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # The CPU generator alone: torch.manual_seed would also reseed every GPU.
        torch.default_generator.manual_seed(seed)
        return model.build(classes, size)
