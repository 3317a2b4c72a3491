"""Real images of one class, normalised, in seeded batches: what synthetic ones are matched to, and begin as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from rethinkdc.types import Fit, Images, Interpolation
from rethinkdc.views import Normaliser


class Stored(Protocol):
    """How a protocol stores an image."""

    @property
    def size(self) -> int: ...

    @property
    def fit(self) -> Fit: ...

    @property
    def interpolation(self) -> Interpolation: ...


class RealImages:
    """Draws stored training images by class; only the images of a batch are held.

    Args:
        data: the training set.
        store: how an image is stored.
        mean: of the normalisation.
        std: of the normalisation.
        device: where batches are wanted.
    """

    def __init__(
        self, data: Images, store: Stored, mean: Sequence[float], std: Sequence[float], device: torch.device
    ) -> None:
        self.data, self.store, self.device = data, store, device
        self._normalise = Normaliser(mean, std, torch.float32, device)
        self._rows: dict[int, Tensor] = {}

    def rows(self, label: int, count: int, draws: torch.Generator) -> Tensor:
        """At most ``count`` different rows of a class, in random order: int64."""
        if label not in self._rows:
            self._rows[label] = (self.data.targets == label).nonzero().flatten()
        known = self._rows[label]
        return known[torch.randperm(len(known), generator=draws)[:count]]

    def images(self, rows: Tensor) -> Tensor:
        """Normalised float32 [B, 3, S, S], a tensor of its own."""
        store = self.store
        pixels = self.data.canvases(rows, store.size, store.fit, store.interpolation)
        return self._normalise(pixels.to(self.device)).clone()
