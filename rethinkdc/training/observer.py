"""Who watches a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Observer(Protocol):
    """Sees every batch of a training run."""

    @property
    def wants_batches(self) -> bool:
        """Whether :meth:`batch` is called: of ranks that train together the first is then sent what all have seen."""
        ...

    @property
    def wants_features(self) -> bool:
        """Whether :meth:`batch` is given the features before the classifier."""
        ...

    @property
    def wants_epoch_checkpoints(self) -> bool:
        """Whether the run must end with a whole epoch and checkpoint after each one."""
        ...

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Called once per batch of 0-based ``epoch``, on the first rank; again for those that a resumed run repeats.

        ``rows`` int64 [B] on the CPU; ``logits`` float32 [B, C], ``targets`` int64 [B] and ``features`` [B, D] are
        detached and on the device.
        """
        ...

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Called after 0-based ``epoch``, before its checkpoint, on all ranks: the first writes what is kept."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of it on the first rank, of what it saw: tensors, numbers, texts, lists and dicts.

        What it keeps elsewhere is on disk when this returns, and the state tells whether it is still the same.
        """
        ...

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Goes on from what :meth:`state` gave; None = the training begins; empty = the checkpoint knows nothing of it.

        Returns:
            False where what it keeps elsewhere is not what it was then: the training begins anew.
        """
        ...
