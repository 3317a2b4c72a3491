"""Who watches a training run."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Observer(Protocol):
    """Sees every batch of a training run."""

    @property
    def wants_features(self) -> bool:
        """Whether :meth:`batch` is given the features before the classifier."""
        ...

    @property
    def wants_epoch_checkpoints(self) -> bool:
        """Whether the run must end with a whole epoch and checkpoint after each one."""
        ...

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Called once per batch of 0-based ``epoch``, again for the batches that a resumed run repeats.

        ``rows`` int64 [B] on the CPU; ``logits`` float32 [B, C], ``targets`` int64 [B] and ``features`` [B, D] are
        detached and on the device.
        """
        ...

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Called after 0-based ``epoch``, before its checkpoint."""
        ...
