"""Stored labels that say something new when they are shown again: their temperature falls, the student's follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rethinkdc import ranks
from rethinkdc.labels.losses import divergence
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.labels.shards import LabelReader
from rethinkdc.labels.supervision import StoredTargets

GRID = torch.linspace(0.01, 1, 100, dtype=torch.float64)
"""The temperatures among which a student's is found."""


@dataclass(frozen=True)
class Cooling:
    """The temperature of labels that are shown again: it falls by a factor at equal intervals, down to a floor.

    Attributes:
        start: T of the first epochs.
        factor: what it is multiplied by.
        every: epochs between two falls.
        floor: the least T; a start below it stays as it is.
    """

    start: float
    factor: float
    every: int
    floor: float

    def at(self, epoch: int) -> float:
        """T in a 0-based epoch. The authors count from 1, so that the first fall comes an epoch early."""
        fallen = self.start * self.factor ** ((epoch + 1) // self.every)
        return max(fallen, min(self.floor, self.start))


class CoolingTargets(StoredTargets):
    """Stored logits under a falling temperature, and a student whose own temperature is found after each epoch.

    LPQLD (arXiv 2604.18135): the student's begins at 1, and is then the one of a grid up to 1 at which what it said of
    the epoch's last batch is nearest to that batch's labels. A training sees it as an observer, so that a checkpoint
    holds it and all ranks have the same.

    Args:
        reader: of the stored logits; minus infinity = a class that is gone.
        schedule: which batch each step is given.
        cooling: of the labels.
        calibrated: find the student's temperature; otherwise it is the labels'.
        t_squared: multiply the loss by the square of the labels' temperature.
        mix: the op that mixed the views when they were labelled.
    """

    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(
        self,
        reader: LabelReader,
        schedule: LabelSchedule,
        cooling: Cooling,
        mix: Any,
        *,
        calibrated: bool,
        t_squared: bool,
    ) -> None:
        super().__init__(reader, schedule, self._loss, mix)
        self.cooling, self.calibrated, self.t_squared = cooling, calibrated, t_squared
        self.wants_batches = calibrated
        self._said: Tensor | None = None
        self._begin()

    @property
    def temperatures(self) -> tuple[float, float]:
        """Of the labels, and of the student, in the epoch that goes on."""
        labels = self.cooling.at(self._epoch)
        return labels, self._found if self.calibrated else labels

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:  # noqa: ARG002
        """Keeps what the student says of the newest batch."""
        self._said = logits

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:  # noqa: ARG002
        """Finds the student's temperature, and goes on to the next epoch's."""
        if self.calibrated:
            self._found = float(ranks.decided(lambda: self._find(epoch), "the student's temperature"))
        self._epoch = epoch + 1

    def state(self) -> dict[str, Any]:
        """The epoch, and the student's temperature in it."""
        return {"epoch": self._epoch, "found": self._found}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Goes on from :meth:`state`, or begins."""
        if not state:
            self._begin()
            return state is None
        self._epoch, self._found = state["epoch"], state["found"]
        return True

    def _begin(self) -> None:
        self._epoch, self._found = 0, 1.0

    def _loss(self, logits: Tensor, soft: Tensor, hard: Tensor) -> Tensor:  # noqa: ARG002
        labels, student = self.temperatures
        losses = divergence(logits, torch.softmax(soft.float() / labels, dim=1), student)
        return losses * labels**2 if self.t_squared else losses

    def _find(self, epoch: int) -> float:
        """The temperature of the grid at which the student was nearest to the labels of the epoch's last batch."""
        length = self.schedule.length
        last = min((epoch + 1) * length.batches, length.steps) - 1
        assert self._said is not None
        labels = self.reader.logits(self.schedule.batch_of(last)).to(self._said.device)
        return nearest_temperature(self._said, torch.softmax(labels / self.cooling.at(epoch), dim=1))


def nearest_temperature(logits: Tensor, probabilities: Tensor) -> float:
    """The temperature of :data:`GRID` whose softmax of ``logits`` [B, C] is nearest to ``probabilities`` [B, C]."""
    losses = torch.stack([divergence(logits, probabilities, value).mean() for value in GRID.tolist()])
    return float(GRID[int(losses.argmin())])
