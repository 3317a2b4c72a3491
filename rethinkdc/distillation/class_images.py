"""Real images of one class, normalised, in seeded batches: what synthetic ones are matched to, and begin as."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.data.by_class import rows_by_class
from rethinkdc.data.whitening import Whitening
from rethinkdc.errors import UnsupportedError
from rethinkdc.protocol.protocol import StoreSpec
from rethinkdc.types import Images
from rethinkdc.views import Normaliser


class RealImages:
    """Draws stored training images by class; only the images of a batch are held.

    Args:
        data: the training set.
        store: how an image is stored.
        mean: of the normalisation.
        std: of the normalisation.
        device: where batches are wanted.
        whitening: what is done in place of the normalisation; None = images are normalised.
    """

    def __init__(
        self,
        data: Images,
        store: StoreSpec,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        whitening: Whitening | None = None,
    ) -> None:
        self.data, self.store, self.device = data, store, device
        self._changed = Normaliser(mean, std, torch.float32, device) if whitening is None else whitening.apply
        self._rows = rows_by_class(data.targets, len(data.class_names))

    def batch(self, label: int, count: int, draws: torch.Generator) -> Tensor:
        """At most ``count`` different images of a class, in random order: normalised float32 [B, 3, S, S]."""
        return self._images(self._chosen(label, count, draws))

    def first(self, label: int, count: int) -> Tensor:
        """At most the first ``count`` images of a class, as :meth:`batch`."""
        return self._images(self._rows[label][:count])

    def start(self, method: str, label: int, count: int, draws: torch.Generator) -> Tensor:
        """Just ``count`` different images of a class, as :meth:`batch`, for a method that begins with them.

        Raises:
            UnsupportedError: the class has fewer; names the method and the class.
        """
        rows = self._chosen(label, count, draws)
        if len(rows) < count:
            raise UnsupportedError(
                f"{method} begins from {count} real images of every class, but class "
                f"{self.data.class_names[label]!r} has {len(rows)}. Use init=noise or a smaller --ipc."
            )
        return self._images(rows)

    def mixed(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """At most ``count`` different images of all classes, in random order: as :meth:`batch`, and int64 [B]."""
        rows = torch.randperm(len(self.data), generator=draws)[:count]
        return self._images(rows), self.data.targets[rows].to(self.device)

    def _chosen(self, label: int, count: int, draws: torch.Generator) -> Tensor:
        """At most ``count`` different rows of a class, in random order: int64."""
        known = self._rows[label]
        return known[torch.randperm(len(known), generator=draws)[:count]]

    def _images(self, rows: Tensor) -> Tensor:
        """Normalised float32 [B, 3, S, S], a tensor of its own."""
        store = self.store
        pixels = self.data.canvases(rows, store.size, store.fit, store.interpolation)
        return self._changed(pixels.to(self.device)).clone()
