"""The losses of an epoch, kept where the training computes and checked where they are read."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.errors import DivergedError
from rethinkdc.training.length import Length, Step


class EpochLosses:
    """The mean loss of each batch of the running epoch.

    Attributes:
        values: float64 [batches of an epoch], on the device: reading a loss back after each step would make a GPU wait.
        curve: mean loss of each epoch that is over.
    """

    def __init__(self, length: Length, device: torch.device) -> None:
        self._length = length
        self.values = torch.zeros(length.batches, dtype=torch.float64, device=device)
        self.curve: list[float] = []

    def add(self, step: Step, loss: Tensor) -> None:
        """Adds the mean loss of a batch.

        Raises:
            DivergedError: it is not finite. On a GPU that is seen at the epoch's end and at checkpoints.
        """
        self.values[step.batch] = loss
        if self.values.device.type == "cpu":
            self._require_finite(step.epoch, step.batch, step.batch)

    def require_finite(self, step: Step) -> None:
        """Checks the losses of the epoch up to this step.

        Raises:
            DivergedError: one is not finite.
        """
        self._require_finite(step.epoch, 0, step.batch)

    def end_epoch(self, step: Step) -> float:
        """The mean over the images of the epoch that ends with this step, which is added to the curve.

        Raises:
            DivergedError: a loss is not finite.
        """
        self.require_finite(step)
        sizes = torch.full((step.batch + 1,), self._length.batch, dtype=torch.float64)
        sizes[-1] = len(step.rows)
        mean = float((self.values[: step.batch + 1].cpu() * sizes).sum() / sizes.sum())
        self.curve.append(mean)
        return mean

    def _require_finite(self, epoch: int, first: int, last: int) -> None:
        finite = torch.isfinite(self.values[first : last + 1])
        if bool(finite.all()):
            return
        batch = first + int((~finite).nonzero()[0, 0])
        step = epoch * self._length.batches + batch
        raise DivergedError(
            f"The loss of step {step + 1} of {self._length.steps}, in epoch {epoch + 1}, is "
            f"{float(self.values[batch])}: "
            "the training diverged. Lower the learning rate, or look at the images and labels that it was given.",
            epoch=epoch,
            step=step,
        )
