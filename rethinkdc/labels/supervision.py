"""What students learn from under soft labels: asked online, stored, or one for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.losses import divergence
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.labels.shards import LabelReader
from rethinkdc.types import Drawn, LabelCost, ViewBatch

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Loss float32 [B] of student logits [B, C], teacher logits [B, C] and classes int64 [B]."""


class OnlineTargets:
    """The teachers are asked at every step, on the very views that the student sees.

    Args:
        ensemble: the teachers.
        objective: the loss.
        mix: the op that mixes views, None, or ``"protocol"``.
        label_bytes: of the classes, where the objective needs them.
    """

    def __init__(self, ensemble: Ensemble, objective: Objective, mix: Any, label_bytes: int = 0) -> None:
        self.ensemble, self.objective, self.mix = ensemble, objective, mix
        self.cost = LabelCost(
            label_bytes,
            teacher_bytes=ensemble.bytes,
            teacher_at_training=True,
            asked_per_view=len(ensemble.teachers),
        )

    def drawn(self, step: int) -> Drawn | None:  # noqa: ARG002 - the contract's signature
        return None

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        return {"soft": self.ensemble.logits(batch.pixels), "hard": batch.hard}

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        return self.objective(logits, targets["soft"], targets["hard"])


class StoredTargets:
    """Logits that were stored for every batch of views; the views are drawn again from their keys.

    Args:
        reader: of the stored logits.
        schedule: which batch each step is given.
        objective: the loss.
        mix: the op that mixed the views when they were labelled.
    """

    def __init__(self, reader: LabelReader, schedule: LabelSchedule, objective: Objective, mix: Any) -> None:
        self.reader, self.schedule, self.objective, self.mix = reader, schedule, objective, mix
        self.cost = LabelCost(reader.bytes)

    def drawn(self, step: int) -> Drawn | None:
        return self.schedule.drawn(step)

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        stored = self.reader.logits(self.schedule.batch(batch.key))
        if batch.places is not None:
            stored = stored[batch.places]
        return {"soft": stored.to(batch.hard.device, non_blocking=True), "hard": batch.hard}

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        return self.objective(logits, targets["soft"], targets["hard"])


class StaticTargets:
    """One soft label for each image, whatever its view; a mix weights two of them by the area really pasted.

    Args:
        labels: float [M, C], logits.
        temperature: T of the labels' and of the student's softmax.
        t_squared: multiply the loss by T^2.
        mix: the op that mixes views, None, or ``"protocol"``.
        label_bytes: of the labels as stored.
    """

    def __init__(self, labels: Tensor, temperature: float, *, t_squared: bool, mix: Any, label_bytes: int) -> None:
        self.labels, self.temperature, self.t_squared, self.mix = labels, temperature, t_squared, mix
        self.cost = LabelCost(label_bytes)

    def drawn(self, step: int) -> Drawn | None:  # noqa: ARG002 - the contract's signature
        return None

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        own = self._probabilities(batch.rows, batch.hard.device)
        if batch.partner_rows is None or batch.area is None:
            return {"probabilities": own}
        area = batch.area[:, None]
        return {"probabilities": (1 - area) * own + area * self._probabilities(batch.partner_rows, own.device)}

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        return divergence(logits, targets["probabilities"], self.temperature, t_squared=self.t_squared)

    def _probabilities(self, rows: Tensor, device: torch.device) -> Tensor:
        labels = self.labels[rows.to(self.labels.device)].float().to(device)
        return torch.softmax(labels / self.temperature, dim=1)
